// SPDX-License-Identifier: Apache-2.0

package pythonbridge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	vmwatts "vmwatts.dev/go"
)

// A simulated model server: package watts are 10 x cpu_utilization.
type simulated struct {
	token string
	slow  time.Duration
}

func (s *simulated) allow(ctx context.Context) error {
	time.Sleep(s.slow)
	md, _ := metadata.FromIncomingContext(ctx)
	if s.token != "" && (len(md["authorization"]) != 1 || md["authorization"][0] != "Bearer "+s.token) {
		return status.Error(codes.Unauthenticated, "the token is missing or wrong")
	}
	return nil
}

func handle[In any](method string, answer func(*simulated, *In) message) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: method, Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		s := srv.(*simulated)
		if err := s.allow(ctx); err != nil {
			return nil, err
		}
		return answer(s, in), nil
	}}
}

func serve(t *testing.T, s *simulated, options ...grpc.ServerOption) string {
	t.Helper()
	server := grpc.NewServer(append(options, grpc.ForceServerCodec(codec{}))...)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "PowerEstimationService", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		handle("EstimatePower", func(_ *simulated, in *estimationRequest) message {
			return &estimationResponse{doubles{"package": 10 * in.features["cpu_utilization"]}, 0.5, "1.2.3"}
		}),
		handle("LoadModels", func(_ *simulated, in *loadRequest) message {
			return &loadResponse{in.directory == "/models", "not allowed"}
		}),
		handle("GetModelInfo", func(*simulated, *empty) message { return &infoResponse{"1.2.3", []string{"package", "dram"}} }),
	}}, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return l.Addr().String()
}

func client(t *testing.T, at string, o Options) *PythonBridgeClient {
	t.Helper()
	c, err := NewPythonBridgeClientWith(at, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestEveryMethod(t *testing.T) {
	c, err := NewPythonBridgeClient(serve(t, &simulated{}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.4, Additional: map[string]float64{"vcpus": 4}})
	if err != nil || got.NodeCPUWatts["package"] != 4 || got.Confidence != 0.5 || got.ModelVersion != "1.2.3" {
		t.Fatal(got, err)
	}
	if got.Features["vcpus"] != 4 || len(got.Features) != 3 { // and the steal of a machine without
		t.Fatal(got.Features)
	}
	if c.GetModelVersion() != "1.2.3" || len(c.GetSupportedZones()) != 2 {
		t.Fatal(c.GetModelVersion(), c.GetSupportedZones())
	}
	if err := c.LoadModels("/models"); err != nil {
		t.Fatal(err)
	}
	if err := c.LoadModels("/etc"); !errors.Is(err, vmwatts.ErrNoModel) {
		t.Fatal(err)
	}
	if c.Close() != nil || c.Close() != nil {
		t.Fatal("closing twice is fine")
	}
	if _, err := c.EstimatePower(vmwatts.VMFeatures{}); !errors.Is(err, vmwatts.ErrClosed) {
		t.Fatal(err)
	}
}

func TestConcurrent(t *testing.T) {
	c := client(t, serve(t, &simulated{}), Options{})
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func(u float64) {
			defer all.Done()
			for n := 0; n < 50; n++ {
				got, err := c.EstimatePower(vmwatts.VMFeatures{CPUUtilization: u})
				if err != nil || got.NodeCPUWatts["package"] != 10*u {
					t.Error(got, err)
				}
			}
		}(float64(i) / 8)
	}
	all.Wait()
}

func TestTokenIsAskedFor(t *testing.T) {
	at := serve(t, &simulated{token: "secret"})
	for token, want := range map[string]codes.Code{"": codes.Unauthenticated, "wrong": codes.Unauthenticated, "secret": codes.OK} {
		_, err := client(t, at, Options{Token: token}).EstimatePower(vmwatts.VMFeatures{})
		if status.Code(err) != want {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestSlowServer(t *testing.T) {
	c := client(t, serve(t, &simulated{slow: time.Second}), Options{Timeout: 50 * time.Millisecond})
	begin := time.Now()
	if _, err := c.EstimatePower(vmwatts.VMFeatures{}); status.Code(err) != codes.DeadlineExceeded || time.Since(begin) > 500*time.Millisecond {
		t.Fatal(err, time.Since(begin))
	}
}

func TestTLS(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	at := serve(t, &simulated{token: "secret"}, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	if _, err := client(t, at, Options{CAFile: ca, Token: "secret"}).EstimatePower(vmwatts.VMFeatures{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, at, Options{Token: "secret"}).EstimatePower(vmwatts.VMFeatures{}); err == nil {
		t.Fatal("plain text to a TLS server")
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for url, o := range map[string]Options{
		"nowhere":       {},
		"far.test:1":    {Plain: true, Token: "t"},
		"[::1]:1":       {CAFile: "client.go"},
		"far.test:port": {CAFile: "client.go"},
	} {
		if _, err := NewPythonBridgeClientWith(url, o); !errors.Is(err, vmwatts.ErrConfig) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add((&estimationResponse{doubles{"package": 1}, 0.5, "1"}).append(nil))
	f.Add((&infoResponse{"1", []string{"package"}}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range []message{&estimationRequest{}, &estimationResponse{}, &loadRequest{}, &loadResponse{}, &infoResponse{}} {
			_ = eachField(b, m.field) // no panic
		}
	})
}

// A server of our own, where the test of the whole gives one.
func TestRealServer(t *testing.T) {
	at := os.Getenv("VMWATTS_TEST_SERVER")
	if at == "" {
		t.Skip("VMWATTS_TEST_SERVER is not set")
	}
	c := client(t, at, Options{CAFile: os.Getenv("VMWATTS_TEST_CA"), Token: os.Getenv("VMWATTS_TEST_TOKEN")})
	got, err := c.EstimatePower(vmwatts.VMFeatures{CPUUtilization: 0.5, Additional: map[string]float64{"vcpus": 4, "cpu_busy_vcpus": 2}})
	if err != nil || got.NodeCPUWatts["package"] <= 0 || got.ModelVersion == "" {
		t.Fatal(got, err)
	}
	t.Log(got.NodeCPUWatts)
}
