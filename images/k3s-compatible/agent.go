package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const agentDirectory = stateDirectory + "/agent"

// agentSteps are the stages of a node that joins a server.
func (n *node) agentSteps() []func() error {
	return []func() error{
		n.startContainerd,
		n.discover,
		func() error {
			return n.startKubelet(filepath.Join(agentDirectory, "ca.crt"),
				"--bootstrap-kubeconfig="+filepath.Join(agentDirectory, "bootstrap.conf"), "--kubeconfig="+filepath.Join(agentDirectory, "kubelet.conf"))
		},
		n.waitJoined,
	}
}

// discover reads the cluster's certificate authority, which only a server that knows the token can have signed.
func (n *node) discover() error {
	token := newBootstrapToken(n.token)
	asking := anonymous(n.serverURL)
	var kubeconfig string
	err := until("discovery", "", func() error {
		body, err := asking.get("/api/v1/namespaces/kube-public/configmaps/cluster-info")
		if err != nil {
			return err
		}
		var info struct{ Data map[string]string }
		if err := json.Unmarshal(body, &info); err != nil {
			return err
		}
		kubeconfig = info.Data["kubeconfig"]
		signature, found := info.Data["jws-kubeconfig-"+token.id]
		if !found {
			return fmt.Errorf("the server does not know this token (yet)")
		}
		return verifyClusterInfo(token, kubeconfig, signature)
	})
	if err != nil {
		return err
	}
	encoded, err := field(kubeconfig, "certificate-authority-data")
	if err != nil {
		return at("discovery", err)
	}
	authority, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return at("discovery", err)
	}
	if err := os.MkdirAll(agentDirectory, 0o755); err != nil {
		return at("discovery", err)
	}
	if err := os.WriteFile(filepath.Join(agentDirectory, "ca.crt"), authority, 0o644); err != nil {
		return at("discovery", err)
	}
	return at("discovery", os.WriteFile(filepath.Join(agentDirectory, "bootstrap.conf"), []byte(tokenKubeconfig(n.serverURL, encoded, token)), 0o600))
}

// waitJoined waits for the certificate that the kubelet is given when its request was approved.
func (n *node) waitJoined() error {
	err := until("joining", "kubelet", func() error {
		_, err := os.Stat(filepath.Join(agentDirectory, "kubelet.conf"))
		return err
	})
	if err != nil {
		return err
	}
	n.journal.info("joined %s", n.serverURL)
	return nil
}

func tokenKubeconfig(server, authority string, token bootstrapToken) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{ name: k3s, cluster: { server: %q, certificate-authority-data: %s } }]
users: [{ name: bootstrap, user: { token: %s } }]
contexts: [{ name: bootstrap, context: { cluster: k3s, user: bootstrap } }]
current-context: bootstrap
`, server, authority, token)
}
