package main

import (
	"strings"
	"testing"
)

func nothing(string) string { return "" }

func TestArgumentsInBothForms(t *testing.T) {
	for _, arguments := range [][]string{
		{"server", "--disable=traefik,coredns", "--tls-san=a,b", "--node-label=x=y", "--kubelet-arg=v=4", "--cluster-cidr=10.1.0.0/16", "--disable-kube-proxy"},
		{"server", "--disable", "traefik,coredns", "--tls-san", "a,b", "--node-label", "x=y", "--kubelet-arg", "v=4", "--cluster-cidr", "10.1.0.0/16", "--disable-kube-proxy=true"},
	} {
		o, err := parseArguments(arguments, nothing)
		if err != nil {
			t.Fatal(err)
		}
		if !o.disabled["coredns"] || !o.disabled["traefik"] || strings.Join(o.tlsNames, " ") != "a b" || o.nodeLabels[0] != "x=y" ||
			flags(o.kubeletArgs)[0] != "--v=4" || o.clusterCIDR.String() != "10.1.0.0/16" || o.kubeProxy || !o.ownNetwork {
			t.Errorf("%v gave %+v", arguments, o)
		}
	}
}

func TestRefusals(t *testing.T) {
	for text, wanted := range map[string]string{
		"":                                     "say server or agent",
		"etcd":                                 `no command "etcd"`,
		"server --flannel-iface=eth0":          "--flannel-iface is not honoured",
		"server --flannel-backend=vxlan":       "a bridge, or none",
		"server --disable=everything":          `no component "everything"`,
		"server --tls-san":                     "needs a value",
		"server --node-label=alone":            "NAME=VALUE",
		"server --cluster-cidr=fd00::/64":      "only IPv4",
		"server --cluster-cidr=10.0.0.0/28":    "no room for a node's /24",
		"server --service-cidr=10.0.0.0/30":    "no room for the cluster's DNS",
		"server --disable-kube-proxy=no":       "takes no value but true",
		"agent":                                "needs --server and --token",
		"agent --server=https://a:6443":        "needs --server and --token",
		"server --kube-apiserver-arg=nonsense": "NAME=VALUE",
	} {
		_, err := parseArguments(strings.Fields(text), nothing)
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: %v, not %q", text, err, wanted)
		}
	}
}

func TestAgentByEnvironment(t *testing.T) {
	variables := map[string]string{"K3S_URL": "https://a:6443", "K3S_TOKEN": "t"}
	o, err := parseArguments([]string{"agent"}, func(name string) string { return variables[name] })
	if err != nil || o.serverURL != "https://a:6443" || o.token != "t" || o.role != agent || o.ownNetwork {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAddressesOfTheServiceNetwork(t *testing.T) {
	o, _ := parseArguments([]string{"server"}, nothing)
	if got := nth(o.serviceCIDR, 10).String(); got != "10.43.0.10" {
		t.Error(got)
	}
}
