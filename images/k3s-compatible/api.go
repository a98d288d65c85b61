package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// api speaks to the API server as the user of a kubeconfig.
type api struct {
	base   string
	client *http.Client
}

const requestTimeout = 10 * time.Second

func apiOf(kubeconfig string) (*api, error) {
	content, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	decoded := map[string][]byte{}
	for _, name := range []string{"certificate-authority-data", "client-certificate-data", "client-key-data"} {
		value, err := field(string(content), name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kubeconfig, err)
		}
		if decoded[name], err = base64.StdEncoding.DecodeString(value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", kubeconfig, name, err)
		}
	}
	base, err := field(string(content), "server")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	pair, err := tls.X509KeyPair(decoded["client-certificate-data"], decoded["client-key-data"])
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(decoded["certificate-authority-data"])
	return &api{base: base, client: &http.Client{
		Timeout:   requestTimeout,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, Certificates: []tls.Certificate{pair}}},
	}}, nil
}

// anonymous asks without being anybody and without knowing the authority yet; what it reads must be verified by other means.
func anonymous(base string) *api {
	return &api{base: base, client: &http.Client{
		Timeout:   requestTimeout,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}}
}

func (a *api) get(path string) ([]byte, error) {
	response, err := a.client.Get(a.base + path)
	if err != nil {
		return nil, err
	}
	return answer(response)
}

// reachable says whether anything answers at all, healthy or not.
func (a *api) reachable() error {
	response, err := a.client.Get(a.base + "/livez")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// apply sends an object by server-side apply; path is that of the object itself.
func (a *api) apply(path string, object any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPatch, a.base+path+"?fieldManager=k3s-compatible&force=true", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	_, err = answer(response)
	return err
}

func answer(response *http.Response) ([]byte, error) {
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s answered %d: %.300s", response.Request.URL.Path, response.StatusCode, content)
	}
	return content, nil
}
