package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/heraldlb/herald/lab/state"
)

// API is a client of a lab's API server, with the rights of its administrator.
type API struct {
	url  string
	http *http.Client
}

// StatusError is an answer of the API server that is no success.
type StatusError struct {
	Code    int
	Message string
}

// Error says what the API server said.
func (e *StatusError) Error() string { return fmt.Sprintf("API server: %d: %s", e.Code, e.Message) }

// NewAPI reads the administrator's kubeconfig of the lab.
func NewAPI(l *state.Lab) (*API, error) {
	data, err := os.ReadFile(l.Kubeconfig())
	if err != nil {
		return nil, err
	}
	var k struct {
		Clusters []struct {
			Cluster struct {
				Server string
				CA     []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			}
		}
	}
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", l.Kubeconfig(), err)
	}
	if len(k.Clusters) != 1 || len(k.Users) != 1 {
		return nil, fmt.Errorf("kubeconfig %s: want one cluster and one user", l.Kubeconfig())
	}
	cert, err := tls.X509KeyPair(k.Users[0].User.Cert, k.Users[0].User.Key)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", l.Kubeconfig(), err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(k.Clusters[0].Cluster.CA)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}},
		ForceAttemptHTTP2: true,
	}
	return &API{url: k.Clusters[0].Cluster.Server, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// Do asks the API server and, on success, reads the answer into out, which may
// be nil. An answer that is no success is a *StatusError.
func (a *API) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // all of it was read, or failed to be
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return statusError(resp.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// statusError reads the message of a Status object, or takes the text.
func statusError(code int, data []byte) error {
	var s struct{ Message string }
	if json.Unmarshal(data, &s) != nil || s.Message == "" {
		s.Message = string(bytes.TrimSpace(data))
	}
	return &StatusError{Code: code, Message: s.Message}
}

// Ready reports whether the API server says that it can serve.
func (a *API) Ready(ctx context.Context) error {
	return a.Do(ctx, http.MethodGet, "/readyz", nil, nil)
}

// createNode makes the Node object of h, unless there is one.
func (a *API) createNode(ctx context.Context, h state.Host) error {
	err := a.Do(ctx, http.MethodPost, "/api/v1/nodes", nodeObject(h), nil)
	if s, ok := errors.AsType[*StatusError](err); ok && s.Code == http.StatusConflict {
		return nil
	}
	return err
}

// deleteNode deletes the Node object called name, if there is one.
func (a *API) deleteNode(ctx context.Context, name string) error {
	err := a.Do(ctx, http.MethodDelete, "/api/v1/nodes/"+name, nil, nil)
	if s, ok := errors.AsType[*StatusError](err); ok && s.Code == http.StatusNotFound {
		return nil
	}
	return err
}

// NodeReady returns, by name, what the Ready condition of each Node says:
// "True", "False" or "Unknown".
func (a *API) NodeReady(ctx context.Context) (map[string]string, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.Do(ctx, http.MethodGet, "/api/v1/nodes", nil, &list); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, n := range list.Items {
		out[n.Metadata.Name] = "Unknown"
		for _, c := range n.Status.Conditions {
			if c.Type == "Ready" {
				out[n.Metadata.Name] = c.Status
			}
		}
	}
	return out, nil
}
