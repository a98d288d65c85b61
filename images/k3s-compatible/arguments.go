package main

import (
	"fmt"
	"net/netip"
	"strings"
)

const usage = `A k3s-compatible node: the container contract of k3s, with upstream's Kubernetes components. It is not k3s.

  server   a control plane with a node of its own
  agent    a node of a server; needs --server and --token, or K3S_URL and K3S_TOKEN

  --disable LIST                        coredns; other components of k3s are not there anyway
  --tls-san LIST                        further names and addresses of the API server
  --node-label KEY=VALUE                may be given several times, like the next four
  --node-taint KEY=VALUE:EFFECT
  --kubelet-arg NAME=VALUE
  --kube-apiserver-arg NAME=VALUE
  --kube-controller-manager-arg NAME=VALUE
  --cluster-cidr CIDR                   addresses of pods, default 10.42.0.0/16
  --service-cidr CIDR                   addresses of Services, default 10.43.0.0/16
  --token TEXT                          with which agents join; also K3S_TOKEN
  --server URL                          of the server that an agent joins; also K3S_URL
  --flannel-backend none                no pod network: another one is installed
  --disable-network-policy              there is no controller of our own for policies
  --disable-kube-proxy                  the pod network serves Services
`

type role string

const (
	server role = "server"
	agent  role = "agent"
)

type options struct {
	role                  role
	help                  bool
	disabled              map[string]bool
	tlsNames              []string
	nodeLabels            []string
	nodeTaints            []string
	kubeletArgs           []string
	apiserverArgs         []string
	controllerManagerArgs []string
	clusterCIDR           netip.Prefix
	serviceCIDR           netip.Prefix
	token                 string
	serverURL             string
	ownNetwork            bool
	kubeProxy             bool
}

// components of k3s that --disable may name; only CoreDNS comes with this image.
var disableable = map[string]bool{
	"coredns": true, "servicelb": true, "traefik": true, "local-storage": true, "metrics-server": true, "runtimes": true,
}

// parseArguments reads what k3s would be told. An argument that this image does not honour is refused by its name: ignoring it would make
// another cluster than was asked for.
func parseArguments(arguments []string, environment func(string) string) (*options, error) {
	o := &options{
		disabled:    map[string]bool{},
		clusterCIDR: netip.MustParsePrefix("10.42.0.0/16"),
		serviceCIDR: netip.MustParsePrefix("10.43.0.0/16"),
		token:       environment("K3S_TOKEN"),
		serverURL:   environment("K3S_URL"),
		ownNetwork:  true,
		kubeProxy:   true,
	}
	if len(arguments) == 0 {
		return nil, fmt.Errorf("k3s-compatible: say server or agent\n\n%s", usage)
	}
	switch arguments[0] {
	case "server":
		o.role = server
	case "agent":
		o.role = agent
	case "help", "--help", "-h":
		o.help = true
		return o, nil
	default:
		return nil, fmt.Errorf("k3s-compatible: no command %q; there are server and agent", arguments[0])
	}
	rest := arguments[1:]
	for len(rest) > 0 {
		name, value, joined := strings.Cut(rest[0], "=")
		rest = rest[1:]
		if bare, known := o.switches()[name]; known {
			if joined && value != "true" {
				return nil, fmt.Errorf("k3s-compatible: %s takes no value but true", name)
			}
			bare()
			continue
		}
		if name == "--help" || name == "-h" {
			o.help = true
			return o, nil
		}
		set, known := o.setters()[name]
		if !known {
			return nil, fmt.Errorf("k3s-compatible: the argument %s is not honoured by this image", name)
		}
		if !joined {
			if len(rest) == 0 {
				return nil, fmt.Errorf("k3s-compatible: %s needs a value", name)
			}
			value, rest = rest[0], rest[1:]
		}
		if err := set(value); err != nil {
			return nil, fmt.Errorf("k3s-compatible: %s %s: %w", name, value, err)
		}
	}
	return o, o.check()
}

func (o *options) switches() map[string]func() {
	return map[string]func(){
		"--disable-network-policy": func() {},
		"--disable-kube-proxy":     func() { o.kubeProxy = false },
	}
}

func (o *options) setters() map[string]func(string) error {
	appendTo := func(list *[]string) func(string) error {
		return func(value string) error {
			*list = append(*list, value)
			return nil
		}
	}
	pairs := func(list *[]string) func(string) error {
		return func(value string) error {
			if key, _, found := strings.Cut(value, "="); !found || key == "" {
				return fmt.Errorf("NAME=VALUE is meant")
			}
			*list = append(*list, value)
			return nil
		}
	}
	prefix := func(target *netip.Prefix) func(string) error {
		return func(value string) error {
			parsed, err := netip.ParsePrefix(value)
			if err == nil && !parsed.Addr().Is4() {
				err = fmt.Errorf("only IPv4 is supported")
			}
			*target = parsed.Masked()
			return err
		}
	}
	text := func(target *string) func(string) error {
		return func(value string) error {
			*target = value
			return nil
		}
	}
	return map[string]func(string) error{
		"--disable": func(value string) error {
			for _, name := range strings.Split(value, ",") {
				if !disableable[name] {
					return fmt.Errorf("k3s has no component %q to disable", name)
				}
				o.disabled[name] = true
			}
			return nil
		},
		"--tls-san": func(value string) error {
			o.tlsNames = append(o.tlsNames, strings.Split(value, ",")...)
			return nil
		},
		"--node-label":                  pairs(&o.nodeLabels),
		"--node-taint":                  appendTo(&o.nodeTaints),
		"--kubelet-arg":                 pairs(&o.kubeletArgs),
		"--kube-apiserver-arg":          pairs(&o.apiserverArgs),
		"--kube-controller-manager-arg": pairs(&o.controllerManagerArgs),
		"--cluster-cidr":                prefix(&o.clusterCIDR),
		"--service-cidr":                prefix(&o.serviceCIDR),
		"--token":                       text(&o.token),
		"--server":                      text(&o.serverURL),
		"--flannel-backend": func(value string) error {
			if value != "none" {
				return fmt.Errorf("the network of this image is a bridge, or none")
			}
			o.ownNetwork = false
			return nil
		},
	}
}

func (o *options) check() error {
	if o.role == agent && (o.serverURL == "" || o.token == "") {
		return fmt.Errorf("k3s-compatible: an agent needs --server and --token, or K3S_URL and K3S_TOKEN")
	}
	if o.role == agent {
		// A bridge of its own does not lead to the pods of other nodes: the network comes from elsewhere.
		o.ownNetwork, o.kubeProxy = false, false
	}
	if o.clusterCIDR.Bits() > 24 {
		return fmt.Errorf("k3s-compatible: --cluster-cidr %s has no room for a node's /24", o.clusterCIDR)
	}
	if o.serviceCIDR.Bits() > 28 {
		return fmt.Errorf("k3s-compatible: --service-cidr %s has no room for the cluster's DNS, its tenth address", o.serviceCIDR)
	}
	return nil
}

// nth is the address at this offset of a prefix, as k3s and kubeadm count it: the API's Service is the first, DNS the tenth.
func nth(prefix netip.Prefix, offset int) netip.Addr {
	address := prefix.Masked().Addr()
	for range offset {
		address = address.Next()
	}
	return address
}

// flags turns NAME=VALUE into --NAME=VALUE.
func flags(pairs []string) []string {
	made := make([]string, len(pairs))
	for i, pair := range pairs {
		made[i] = "--" + pair
	}
	return made
}
