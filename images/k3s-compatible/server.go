package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

const (
	pki         = stateDirectory + "/server/tls"
	etcdData    = stateDirectory + "/server/db"
	kubeconfDir = stateDirectory + "/server/cred"
	kubeadmFile = stateDirectory + "/server/kubeadm.yaml"
	adminFile   = kubeconfDir + "/super-admin.conf"
	etcdClient  = "http://127.0.0.1:2379"
	etcdPeer    = "http://127.0.0.1:2380"
	apiPort     = "6443"
	// What @testcontainers/k3s and its siblings wait for on the container's log.
	readyLine = "Node controller sync successful"
)

// serverSteps are the stages of a control plane, in their order; what can run meanwhile is started and waited for later.
func (n *node) serverSteps() []func() error {
	var client *api
	containerd := make(chan error, 1)
	return []func() error{
		func() error {
			go func() {
				err := n.startContainerd()
				if err != nil {
					// Told at once, and not when somebody waits for it.
					n.processes.gaveUp <- err
				}
				containerd <- err
			}()
			return nil
		},
		n.startEtcd,
		n.makeCertificates,
		n.startAPIServer,
		n.makeKubeconfigs,
		func() (err error) { client, err = n.connect(); return err },
		func() error { return <-containerd },
		func() error {
			return n.startKubelet(filepath.Join(pki, "ca.crt"), "--kubeconfig="+filepath.Join(kubeconfDir, "kubelet.conf"))
		},
		func() error { return n.waitReady(client) },
		n.startControllers,
		func() error { return n.applyObjects(client) },
		n.startKubeProxy,
		func() error { return n.waitNode(client) },
		func() error { return n.finish(client) },
	}
}

func (n *node) startEtcd() error {
	if err := os.MkdirAll(etcdData, 0o700); err != nil {
		return at("etcd", err)
	}
	return n.processes.serve("etcd", kubernetes, "--data-dir="+etcdData, "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcdClient, "--advertise-client-urls="+etcdClient,
		"--listen-peer-urls="+etcdPeer, "--initial-advertise-peer-urls="+etcdPeer, "--initial-cluster=default="+etcdPeer)
}

// makeCertificates has kubeadm make what is missing. The serving certificate is made at every start, since the address of a restarted
// container may be another one.
func (n *node) makeCertificates() error {
	// Some kubeconfigs name the address too.
	if err := os.RemoveAll(kubeconfDir); err != nil {
		return at("certificates", err)
	}
	for _, directory := range []string{pki, kubeconfDir} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return at("certificates", err)
		}
	}
	for _, file := range []string{"apiserver.crt", "apiserver.key"} {
		if err := os.Remove(filepath.Join(pki, file)); err != nil && !os.IsNotExist(err) {
			return at("certificates", err)
		}
	}
	if err := os.WriteFile(kubeadmFile, []byte(n.kubeadmConfig()), 0o600); err != nil {
		return at("certificates", err)
	}
	return n.processes.run("certificates", "/usr/bin/kubeadm", "init", "phase", "certs", "all", "--config", kubeadmFile)
}

func (n *node) kubeadmConfig() string {
	names := []string{"localhost", "127.0.0.1", n.address.String(), n.gateway.String(), n.name}
	quoted := make([]string, 0, len(names)+len(n.tlsNames))
	for _, name := range append(names, n.tlsNames...) {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	return fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: { name: %q, criSocket: "unix://%s" }
localAPIEndpoint: { advertiseAddress: %s, bindPort: %s }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: %s
encryptionAlgorithm: ECDSA-P256
certificatesDir: %s
controlPlaneEndpoint: 127.0.0.1:%s
networking: { serviceSubnet: %s, podSubnet: %s }
apiServer: { certSANs: [%s] }
etcd: { external: { endpoints: ["%s"] } }
`, n.name, containerdSock, n.address, apiPort, kubernetesVersion(), pki, apiPort, n.serviceCIDR, n.clusterCIDR, strings.Join(quoted, ", "), etcdClient)
}

// kubernetesVersion is the one that the node image names, in kind's way.
func kubernetesVersion() string {
	content, err := os.ReadFile("/kind/version")
	if err != nil {
		return "stable"
	}
	return strings.TrimSpace(string(content))
}

func (n *node) startAPIServer() error {
	file := func(name string) string { return filepath.Join(pki, name) }
	return n.processes.serve("kube-apiserver", kubernetes, append([]string{
		"--advertise-address=" + n.address.String(), "--secure-port=" + apiPort, "--allow-privileged=true",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--enable-bootstrap-token-auth=true",
		"--client-ca-file=" + file("ca.crt"), "--tls-cert-file=" + file("apiserver.crt"), "--tls-private-key-file=" + file("apiserver.key"),
		"--etcd-servers=" + etcdClient, "--service-cluster-ip-range=" + n.serviceCIDR.String(),
		"--kubelet-client-certificate=" + file("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + file("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--proxy-client-cert-file=" + file("front-proxy-client.crt"), "--proxy-client-key-file=" + file("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + file("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + file("sa.pub"), "--service-account-signing-key-file=" + file("sa.key"),
	}, flags(n.apiserverArgs)...)...)
}

// makeKubeconfigs writes one for each component and, where k3s has it, the administrator's.
func (n *node) makeKubeconfigs() error {
	if err := n.processes.run("kubeconfigs", "/usr/bin/kubeadm", "init", "phase", "kubeconfig", "all", "--config", kubeadmFile, "--kubeconfig-dir", kubeconfDir); err != nil {
		return err
	}
	content, err := os.ReadFile(adminFile)
	if err != nil {
		return at("kubeconfigs", err)
	}
	if err := os.WriteFile(filepath.Join(configDirectory, "k3s.yaml"), content, 0o600); err != nil {
		return at("kubeconfigs", err)
	}
	// Where kubeadm has it, and so every node that kind made.
	return at("kubeconfigs", os.WriteFile("/etc/kubernetes/admin.conf", content, 0o600))
}

// connect waits until the API server answers anything: from then on the kubelet can try.
func (n *node) connect() (*api, error) {
	client, err := apiOf(adminFile)
	if err != nil {
		return nil, at("kubeconfigs", err)
	}
	return client, until("kube-apiserver", "kube-apiserver", func() error {
		return client.reachable()
	})
}

func (n *node) waitReady(client *api) error {
	return until("kube-apiserver", "kube-apiserver", func() error {
		_, err := client.get("/readyz")
		return err
	})
}

// Requests a second that may be made of the API server; the defaults of 20 to 50 delay a fresh cluster by seconds.
var apiLimits = []string{"--kube-api-qps=500", "--kube-api-burst=1000"}

func (n *node) startControllers() error {
	file := func(name string) string { return filepath.Join(pki, name) }
	as := func(name string) []string {
		config := filepath.Join(kubeconfDir, name)
		return append([]string{"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
			"--bind-address=127.0.0.1", "--leader-elect=false"}, apiLimits...)
	}
	manager := append(as("controller-manager.conf"),
		"--allocate-node-cidrs=true", "--cluster-cidr="+n.clusterCIDR.String(), "--service-cluster-ip-range="+n.serviceCIDR.String(),
		"--client-ca-file="+file("ca.crt"), "--root-ca-file="+file("ca.crt"), "--requestheader-client-ca-file="+file("front-proxy-ca.crt"),
		"--cluster-signing-cert-file="+file("ca.crt"), "--cluster-signing-key-file="+file("ca.key"),
		"--service-account-private-key-file="+file("sa.key"), "--use-service-account-credentials=true",
		"--controllers=*,bootstrapsigner,tokencleaner")
	if err := n.processes.serve("kube-controller-manager", kubernetes, append(manager, flags(n.controllerManagerArgs)...)...); err != nil {
		return err
	}
	return n.processes.serve("kube-scheduler", kubernetes, as("scheduler.conf")...)
}

// startKubeProxy serves Services where no other pod network does it.
func (n *node) startKubeProxy() error {
	if !n.kubeProxy {
		return nil
	}
	config := filepath.Join(kubeconfDir, "kube-proxy.conf")
	if err := n.processes.runInto(config, "kube-proxy", "/usr/bin/kubeadm", "kubeconfig", "user", "--client-name=system:kube-proxy", "--config="+kubeadmFile); err != nil {
		return err
	}
	return n.processes.serve("kube-proxy", kubernetes, "--kubeconfig="+config, "--proxy-mode=nftables", "--cluster-cidr="+n.clusterCIDR.String(),
		"--hostname-override="+n.name, "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0")
}

// waitNode waits for the node object, and for its readiness when this image brings the pod network: else something else has to come first.
func (n *node) waitNode(client *api) error {
	return until("node", "kubelet", func() error {
		body, err := client.get("/api/v1/nodes/" + n.name)
		if err != nil || !n.ownNetwork {
			return err
		}
		return nodeReady(body)
	})
}

func nodeReady(body []byte) error {
	var found struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return err
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == "Ready" {
			if condition.Status == "True" {
				return nil
			}
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
	}
	return fmt.Errorf("the node has no condition Ready yet")
}

// finish marks the node as k3s does, waits for the account that pods need, and says the line that callers wait for. CoreDNS follows.
func (n *node) finish(client *api) error {
	mark := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"name": n.name, "labels": map[string]string{"node-role.kubernetes.io/control-plane": ""}},
	}
	if err := client.apply("/api/v1/nodes/"+n.name, mark); err != nil {
		return at("node", err)
	}
	err := until("service-account", "kube-controller-manager", func() error {
		_, err := client.get("/api/v1/namespaces/default/serviceaccounts/default")
		return err
	})
	if err != nil {
		return err
	}
	n.journal.info(readyLine)
	if n.disabled["coredns"] {
		return nil
	}
	return n.processes.run("coredns", "/usr/bin/kubeadm", "init", "phase", "addon", "coredns", "--config", kubeadmFile, "--kubeconfig", adminFile)
}

// bridgeConfig is the pod network of one node: a bridge with addresses of the node's own /24. It enforces no NetworkPolicy.
func bridgeConfig(clusterCIDR netip.Prefix) string {
	return fmt.Sprintf(`{"cniVersion":"1.0.0","name":"bridge","plugins":[
{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"ipMasqBackend":"nftables","hairpinMode":true,
 "ipam":{"type":"host-local","ranges":[[{"subnet":"%s/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
{"type":"portmap","backend":"nftables","capabilities":{"portMappings":true}}]}
`, clusterCIDR.Masked().Addr())
}
