package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	stateDirectory  = "/var/lib/rancher/k3s"
	configDirectory = "/etc/rancher/k3s"
	kubernetes      = "/usr/local/bin/kubernetes"
	libexec         = "/usr/local/libexec/local-cloud/"
	containerdSock  = "/run/containerd/containerd.sock"
	lookEvery       = 20 * time.Millisecond
)

// How long a stage that waits may take.
var readyTimeout = 90 * time.Second

// node is the container as it starts: what was asked for, who it is, and what it has started.
type node struct {
	*options
	journal    *journal
	processes  *processes
	name       string
	address    netip.Addr
	gateway    netip.Addr
	cgroupRoot string
}

func newNode(o *options, j *journal, p *processes) *node {
	return &node{options: o, journal: j, processes: p}
}

// run brings the node up and returns; its components go on. The error is a *stageError.
func (n *node) run() error {
	if err := n.prepare(); err != nil {
		return err
	}
	steps := n.serverSteps()
	if n.role == agent {
		steps = n.agentSteps()
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	n.processes.settle()
	n.journal.info(completeLine)
	return nil
}

// What callers wait for who want everything that this image brings, and not only the API.
const completeLine = "this node is complete"

func at(stage string, err error) error {
	if err == nil {
		return nil
	}
	return &stageError{stage: stage, cause: err}
}

// prepare makes the container fit for a node: mounts, cgroups, kernel settings, identity.
func (n *node) prepare() error {
	for _, directory := range []string{logDirectory, stateDirectory, configDirectory, "/run/lock", "/etc/cni/net.d", "/var/lib/kubelet", "/etc/kubernetes/manifests"} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return at("directories", err)
		}
	}
	hostname, err := os.Hostname()
	if err != nil {
		return at("identity", err)
	}
	n.name = strings.ToLower(hostname)
	routes, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return at("identity", err)
	}
	link, gateway, err := defaultRoute(string(routes))
	if err != nil {
		return at("identity", err)
	}
	n.gateway = gateway
	if n.address, err = addressOf(link); err != nil {
		return at("identity", err)
	}
	if err := shareMounts(); err != nil {
		return at("mounts", err)
	}
	if err := freshMachineID("/etc/machine-id"); err != nil {
		return at("identity", err)
	}
	if err := applySysctls("/etc/sysctl.d", "/proc/sys"); err != nil {
		return at("sysctls", err)
	}
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return at("cgroups", err)
	}
	if n.cgroupRoot, err = makeCgroups("/sys/fs/cgroup", string(membership)); err != nil {
		return at("cgroups", err)
	}
	if err := at("cgroups", mountUnified(filepath.Dir(n.cgroupRoot))); err != nil {
		return err
	}
	if err := n.processes.run("resolver", libexec+"reachable-resolver"); err != nil {
		return err
	}
	if err := configureContainerd("/etc/containerd/config.toml.in", "/etc/containerd/config.toml", "/proc/self/status"); err != nil {
		return at("containerd", err)
	}
	n.journal.info("%s %s at %s, cgroups below %s", n.role, n.name, n.address, n.cgroupRoot)
	return nil
}

// startContainerd links the images that the container image brings into containerd's store and starts it. GPUs are made ready before it,
// when this node has any.
func (n *node) startContainerd() error {
	store := filepath.Join(stateDirectory, "agent/containerd")
	if err := n.processes.run("seed", libexec+"link-seed", store); err != nil {
		return err
	}
	if _, err := os.Stat("/etc/local-cloud/gpu"); err == nil {
		if err := n.processes.run("gpu", libexec+"gpu"); err != nil {
			return err
		}
	}
	return n.processes.serve("containerd", "/usr/local/bin/containerd", "--root", store)
}

// startKubelet starts the kubelet with what the caller knows; it registers the node with its labels and taints.
func (n *node) startKubelet(clientCA string, extra ...string) error {
	config := filepath.Join("/var/lib/kubelet", "config.yaml")
	if err := os.WriteFile(config, []byte(kubeletConfig(clientCA, n.cgroupRoot, nth(n.serviceCIDR, 10))), 0o644); err != nil {
		return at("kubelet", err)
	}
	if n.ownNetwork {
		// Before the kubelet starts: it looks for a network every five seconds only.
		if err := os.WriteFile("/etc/cni/net.d/10-bridge.conflist", []byte(bridgeConfig(n.clusterCIDR)), 0o644); err != nil {
			return at("network", err)
		}
	}
	arguments := []string{"--config=" + config, "--node-ip=" + n.address.String(), "--hostname-override=" + n.name}
	if len(n.nodeLabels) > 0 {
		arguments = append(arguments, "--node-labels="+strings.Join(n.nodeLabels, ","))
	}
	if len(n.nodeTaints) > 0 {
		arguments = append(arguments, "--register-with-taints="+strings.Join(n.nodeTaints, ","))
	}
	return n.processes.serve("kubelet", "/usr/bin/kubelet", append(append(arguments, extra...), flags(n.kubeletArgs)...)...)
}

// until looks again and again until the answer is yes, and tells why not when the time is over. component is the one whose log tells more, if any.
func until(stage, component string, look func() error) error {
	deadline := time.Now().Add(readyTimeout)
	for {
		err := look()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			failure := &stageError{stage: stage, cause: fmt.Errorf("not within %v: %w", readyTimeout, err)}
			if component != "" {
				failure.log = logPath(component)
			}
			return failure
		}
		time.Sleep(lookEvery)
	}
}

// defaultRoute finds the interface and gateway of the default route in the text of /proc/net/route.
func defaultRoute(routes string) (link string, gateway netip.Addr, err error) {
	scanner := bufio.NewScanner(strings.NewReader(routes))
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 8 || fields[1] != "00000000" || fields[7] != "00000000" {
			continue
		}
		raw, err := hex.DecodeString(fields[2])
		if err != nil || len(raw) != 4 {
			continue
		}
		var bytes [4]byte
		binary.LittleEndian.PutUint32(bytes[:], binary.BigEndian.Uint32(raw))
		return fields[0], netip.AddrFrom4(bytes), nil
	}
	return "", netip.Addr{}, fmt.Errorf("this container has no default route")
}

func addressOf(link string) (netip.Addr, error) {
	device, err := net.InterfaceByName(link)
	if err != nil {
		return netip.Addr{}, err
	}
	addresses, err := device.Addrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, address := range addresses {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil && prefix.Addr().Is4() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no IPv4 address", link)
}

func shareMounts() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("the mounts cannot be shared with pods (is the container privileged?): %w", err)
	}
	// Already writable in a privileged container of most engines.
	_ = syscall.Mount("", "/sys", "", syscall.MS_REMOUNT, "")
	const bpf = "/sys/fs/bpf"
	const bpfMagic = 0xcafe4a11
	var found syscall.Statfs_t
	if err := syscall.Statfs(bpf, &found); err != nil || found.Type == bpfMagic {
		return nil
	}
	return syscall.Mount("bpf", bpf, "bpf", 0, "")
}

func freshMachineID(path string) error {
	if present, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(present))) == 32 {
		return nil
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(strings.TrimSpace(string(id)), "-", "")+"\n"), 0o444)
}

// applySysctls writes the settings of sysctl.d files, as systemd does in the node image for kind.
func applySysctls(directory, root string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.conf"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(content), "\n") {
			key, value, found := strings.Cut(line, "=")
			key = strings.TrimSpace(key)
			if !found || key == "" || strings.HasPrefix(key, "#") || strings.HasPrefix(key, ";") {
				continue
			}
			path := filepath.Join(root, strings.ReplaceAll(key, ".", "/"))
			if err := os.WriteFile(path, []byte(strings.TrimSpace(value)), 0o644); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}

// capSysResource is the number of CAP_SYS_RESOURCE, without which no process may lower its OOM score.
const capSysResource = 24

// configureContainerd fits containerd to this container: no systemd here, and OOM scores only where the host lets us set them.
func configureContainerd(template, target, status string) error {
	content, err := os.ReadFile(template)
	if err != nil {
		return err
	}
	process, err := os.ReadFile(status)
	if err != nil {
		return err
	}
	restrict := "true"
	for _, line := range strings.Split(string(process), "\n") {
		if hexadecimal, found := strings.CutPrefix(line, "CapEff:"); found {
			var capabilities uint64
			if _, err := fmt.Sscanf(strings.TrimSpace(hexadecimal), "%x", &capabilities); err != nil {
				return fmt.Errorf("CapEff: %w", err)
			}
			if capabilities>>capSysResource&1 == 1 {
				restrict = "false"
			}
		}
	}
	made := strings.NewReplacer("@SYSTEMD_CGROUP@", "false", "@RESTRICT_OOM@", restrict).Replace(string(content))
	return os.WriteFile(target, []byte(made), 0o644)
}
