package main

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

const nodeBootstrappers = "system:bootstrappers:k3s:nodes"

type object = map[string]any

// applyObjects makes what the components need of each other: the API server may reach kubelets, and nodes with the token may join.
func (n *node) applyObjects(client *api) error {
	return at("objects", n.applyAll(client))
}

func (n *node) applyAll(client *api) error {
	objects := map[string]object{
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/k3s-compatible:kubelet-api": binding("k3s-compatible:kubelet-api",
			"system:kubelet-api-admin", subject("User", "kube-apiserver-kubelet-client")),
		// kubeadm gives its administrator this group; the node's own kubectl uses another one.
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster-admins": binding("kubeadm:cluster-admins",
			"cluster-admin", subject("Group", "kubeadm:cluster-admins")),
	}
	if n.token != "" {
		joining, err := n.joiningObjects()
		if err != nil {
			return err
		}
		for path, made := range joining {
			objects[path] = made
		}
	}
	for path, wanted := range objects {
		if err := client.apply(path, wanted); err != nil {
			return err
		}
	}
	return nil
}

// joiningObjects are those with which `kubeadm init` lets nodes join: the token, the signed cluster information that anybody may read,
// and who may ask for a node's certificate and has it approved.
func (n *node) joiningObjects() (map[string]object, error) {
	token := newBootstrapToken(n.token)
	authority, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return nil, err
	}
	info := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- name: \"\"\n  cluster:\n    server: https://%s:%s\n    certificate-authority-data: %s\n",
		n.name, apiPort, base64.StdEncoding.EncodeToString(authority))
	const rbac = "/apis/rbac.authorization.k8s.io/v1/"
	return map[string]object{
		"/api/v1/namespaces/kube-system/secrets/bootstrap-token-" + token.id: {
			"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
			"metadata": object{"name": "bootstrap-token-" + token.id, "namespace": "kube-system"},
			"stringData": object{"token-id": token.id, "token-secret": token.secret, "usage-bootstrap-authentication": "true",
				"usage-bootstrap-signing": "true", "auth-extra-groups": nodeBootstrappers},
		},
		"/api/v1/namespaces/kube-public/configmaps/cluster-info": {
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "cluster-info", "namespace": "kube-public"},
			"data": object{"kubeconfig": info},
		},
		rbac + "namespaces/kube-public/roles/k3s-compatible:cluster-info": {
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
			"metadata": object{"name": "k3s-compatible:cluster-info", "namespace": "kube-public"},
			"rules":    []object{{"apiGroups": []string{""}, "resources": []string{"configmaps"}, "resourceNames": []string{"cluster-info"}, "verbs": []string{"get"}}},
		},
		rbac + "namespaces/kube-public/rolebindings/k3s-compatible:cluster-info": {
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
			"metadata": object{"name": "k3s-compatible:cluster-info", "namespace": "kube-public"},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "k3s-compatible:cluster-info"},
			"subjects": []object{subject("User", "system:anonymous")},
		},
		rbac + "clusterrolebindings/k3s-compatible:bootstrap": binding("k3s-compatible:bootstrap", "system:node-bootstrapper",
			subject("Group", nodeBootstrappers)),
		rbac + "clusterrolebindings/k3s-compatible:approve": binding("k3s-compatible:approve",
			"system:certificates.k8s.io:certificatesigningrequests:nodeclient", subject("Group", nodeBootstrappers)),
		rbac + "clusterrolebindings/k3s-compatible:renew": binding("k3s-compatible:renew",
			"system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", subject("Group", "system:nodes")),
	}, nil
}

func binding(name, clusterRole string, subjects ...object) object {
	return object{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": name},
		"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": clusterRole},
		"subjects": subjects,
	}
}

func subject(kind, name string) object {
	return object{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
}

// kubeletConfig is what kind's kubelets have, with pods below this container's own cgroup.
func kubeletConfig(clientCA, cgroupRoot string, dns netip.Addr) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: { anonymous: { enabled: false }, webhook: { enabled: true, cacheTTL: 0s }, x509: { clientCAFile: %s } }
authorization: { mode: Webhook, webhook: { cacheAuthorizedTTL: 0s, cacheUnauthorizedTTL: 0s } }
cgroupDriver: cgroupfs
cgroupRoot: %s
clusterDNS: [%s]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix://%s
evictionHard: { imagefs.available: "0%%", nodefs.available: "0%%", nodefs.inodesFree: "0%%" }
failCgroupV1: false
failSwapOn: false
imageGCHighThresholdPercent: 100
resolvConf: /etc/resolv.conf
rotateCertificates: true
serializeImagePulls: false
shutdownGracePeriod: 0s
`, clientCA, cgroupRoot, dns, containerdSock)
}
