// SPDX-License-Identifier: Apache-2.0

// Package pythonbridge asks a model server for watts over gRPC: vmwatts serve,
// the Python bridge, or any other that speaks proto/power_estimation.proto.
package pythonbridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	vmwatts "vmwatts.dev/go"
)

const service = "/PowerEstimationService/"

// Options of a client; the zero value is fit for a server on this machine.
type Options struct {
	Timeout time.Duration // of a call; 0: 5 s
	CAFile  string        // PEM of the certificates that may sign the server's; "": the system's
	Token   string        // sent as a bearer token; only over TLS or to this machine
	Plain   bool          // no TLS, though the server is not on this machine
}

// PythonBridgeClient is a vmwatts.PowerEstimator whose models live elsewhere.
// Safe for concurrent use. Closing twice is fine.
type PythonBridgeClient struct {
	conn    *grpc.ClientConn
	timeout time.Duration
}

var _ vmwatts.PowerEstimator = (*PythonBridgeClient)(nil)

// NewPythonBridgeClient connects to "host:port" at the first call: with TLS,
// verified, unless the host is this machine.
func NewPythonBridgeClient(serverURL string) (*PythonBridgeClient, error) {
	return NewPythonBridgeClientWith(serverURL, Options{})
}

// NewPythonBridgeClientWith is NewPythonBridgeClient with options.
func NewPythonBridgeClientWith(serverURL string, o Options) (*PythonBridgeClient, error) {
	host, _, err := net.SplitHostPort(serverURL)
	if err != nil {
		return nil, fmt.Errorf("%w: server %q: host:port is needed", vmwatts.ErrConfig, serverURL)
	}
	plain := o.CAFile == "" && (o.Plain || isLoopback(host))
	transport := insecure.NewCredentials()
	if !plain {
		if transport, err = tlsOf(o.CAFile); err != nil {
			return nil, err
		}
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{})),
	}
	if o.Token != "" {
		if plain && !isLoopback(host) {
			return nil, fmt.Errorf("%w: a token is not sent to %s without TLS", vmwatts.ErrConfig, host)
		}
		dial = append(dial, grpc.WithPerRPCCredentials(bearer{o.Token, !plain}))
	}
	conn, err := grpc.Dial(serverURL, dial...)
	if err != nil {
		return nil, err
	}
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	return &PythonBridgeClient{conn: conn, timeout: timeout}, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func tlsOf(caFile string) (credentials.TransportCredentials, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: %s holds no certificate in PEM", vmwatts.ErrConfig, caFile)
		}
	}
	return credentials.NewTLS(config), nil
}

type bearer struct {
	token string
	tls   bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.tls }

// Close ends the connection; calls after it give vmwatts.ErrClosed.
func (c *PythonBridgeClient) Close() error {
	if err := c.conn.Close(); err != nil && !errors.Is(err, grpc.ErrClientConnClosing) {
		return err
	}
	return nil
}

func (c *PythonBridgeClient) call(ctx context.Context, method string, in, out message) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := c.conn.Invoke(ctx, service+method, in, out)
	if errors.Is(err, grpc.ErrClientConnClosing) {
		return vmwatts.ErrClosed
	}
	return err
}

// EstimatePower asks with the options' timeout. Features that are missing are not sent.
func (c *PythonBridgeClient) EstimatePower(features vmwatts.VMFeatures) (vmwatts.VMPowerMetrics, error) {
	return c.EstimatePowerContext(context.Background(), features)
}

// EstimatePowerContext ends early when ctx does.
func (c *PythonBridgeClient) EstimatePowerContext(ctx context.Context, features vmwatts.VMFeatures) (vmwatts.VMPowerMetrics, error) {
	f, err := features.Features()
	if err != nil {
		return vmwatts.VMPowerMetrics{}, err
	}
	request := &estimationRequest{features: f.Map()}
	response := &estimationResponse{watts: doubles{}}
	if err := c.call(ctx, "EstimatePower", request, response); err != nil {
		return vmwatts.VMPowerMetrics{}, err
	}
	return vmwatts.VMPowerMetrics{
		NodeCPUWatts: response.watts,
		ModelVersion: response.version,
		Confidence:   response.confidence,
		Features:     request.features,
	}, nil
}

// LoadModels has the server load a directory of its own, where its operator allows it.
func (c *PythonBridgeClient) LoadModels(modelPath string) error {
	response := &loadResponse{}
	if err := c.call(context.Background(), "LoadModels", &loadRequest{modelPath}, response); err != nil {
		return err
	}
	if !response.success {
		return fmt.Errorf("%w: the server did not load %s: %s", vmwatts.ErrNoModel, modelPath, response.why)
	}
	return nil
}

func (c *PythonBridgeClient) info() (infoResponse, error) {
	var response infoResponse
	err := c.call(context.Background(), "GetModelInfo", &empty{}, &response)
	return response, err
}

// GetSupportedZones asks the server; none where it does not answer.
func (c *PythonBridgeClient) GetSupportedZones() []string {
	info, _ := c.info()
	return info.zones
}

// GetModelVersion asks the server; "" where it does not answer.
func (c *PythonBridgeClient) GetModelVersion() string {
	info, _ := c.info()
	return info.version
}
