// SPDX-License-Identifier: Apache-2.0

package pythonbridge

import (
	"context"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// What a generic tool does that has never seen our proto: over TLS with a
// token it asks the server what it serves, and calls it by what it was told.
type reflected struct {
	t      *testing.T
	conn   *grpc.ClientConn
	stream reflection.ServerReflection_ServerReflectionInfoClient
}

func (r *reflected) ask(q *reflection.ServerReflectionRequest) *reflection.ServerReflectionResponse {
	r.t.Helper()
	if err := r.stream.Send(q); err != nil {
		r.t.Fatal(err)
	}
	a, err := r.stream.Recv()
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// The file of symbol, and those that it needs.
func (r *reflected) files(symbol string) *protoregistry.Files {
	r.t.Helper()
	a := r.ask(&reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
	set := &descriptorpb.FileDescriptorSet{}
	for _, raw := range a.GetFileDescriptorResponse().GetFileDescriptorProto() {
		f := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(raw, f); err != nil {
			r.t.Fatal(err)
		}
		set.File = append(set.File, f)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil || files.NumFiles() == 0 {
		r.t.Fatalf("%s: %d files, %v", symbol, files.NumFiles(), err)
	}
	return files
}

func reflect(t *testing.T) (*reflected, context.Context) {
	at, ca, token := os.Getenv("VMWATTS_TEST_SERVER"), os.Getenv("VMWATTS_TEST_CA"), os.Getenv("VMWATTS_TEST_TOKEN")
	if at == "" {
		t.Skip("VMWATTS_TEST_SERVER is not set")
	}
	transport, err := tlsOf(ca)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.Dial(at, grpc.WithTransportCredentials(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return &reflected{t: t, conn: conn}, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func TestReflection(t *testing.T) {
	r, ctx := reflect(t)
	var err error
	if r.stream, err = reflection.NewServerReflectionClient(r.conn).ServerReflectionInfo(ctx); err != nil {
		t.Fatal(err)
	}
	a := r.ask(&reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_ListServices{}})
	served := map[string]bool{}
	for _, s := range a.GetListServicesResponse().GetService() {
		served[s.GetName()] = true
	}
	for _, name := range []string{"PowerEstimationService", "grpc.health.v1.Health"} {
		if !served[name] {
			t.Errorf("%s is not in the list %v", name, served)
		}
	}
	if a = r.ask(&reflection.ServerReflectionRequest{
		MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "No.Such"}}); a.GetErrorResponse() == nil {
		t.Error("a symbol that is none has a file")
	}

	found, err := r.files("PowerEstimationService").FindDescriptorByName("PowerEstimationService")
	if err != nil {
		t.Fatal(err)
	}
	method := found.(protoreflect.ServiceDescriptor).Methods().ByName("EstimatePower")
	in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	features := in.Mutable(method.Input().Fields().ByName("features")).Map()
	for name, value := range map[string]float64{"cpu_utilization": 0.5, "vcpus": 4, "cpu_busy_vcpus": 2} {
		features.Set(protoreflect.ValueOfString(name).MapKey(), protoreflect.ValueOfFloat64(value))
	}
	if err := r.conn.Invoke(ctx, "/PowerEstimationService/EstimatePower", in, out); err != nil {
		t.Fatal(err)
	}
	watts := out.Get(method.Output().Fields().ByName("zone_watts")).Map().Get(protoreflect.ValueOfString("package").MapKey())
	if !watts.IsValid() || watts.Float() <= 0 {
		t.Errorf("package: %v W", watts)
	}
	t.Logf("%d services, package %.2f W by reflection", len(served), watts.Float())
}

func TestReflectionNeedsAToken(t *testing.T) {
	r, _ := reflect(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := reflection.NewServerReflectionClient(r.conn).ServerReflectionInfo(ctx)
	if err == nil {
		_ = stream.Send(&reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_ListServices{}})
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
}
