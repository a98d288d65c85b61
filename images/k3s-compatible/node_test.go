package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	0058590A	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth0	00000000	0158590A	0003	0	0	100	00000000	0	0	0
`

func TestDefaultRoute(t *testing.T) {
	link, gateway, err := defaultRoute(routes)
	if err != nil || link != "eth0" || gateway != netip.MustParseAddr("10.89.88.1") {
		t.Errorf("%s %s %v", link, gateway, err)
	}
	if _, _, err := defaultRoute(strings.Split(routes, "eth0	00000000")[0]); err == nil {
		t.Error("a container without a default route has one")
	}
}

func TestSysctls(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"d/50.conf": "# words\nnet.ipv4.ip_forward = 1\n", "sys/net/ipv4/ip_forward": "0"})
	if err := applySysctls(filepath.Join(root, "d"), filepath.Join(root, "sys")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(root, "sys/net/ipv4/ip_forward")); got != "1" {
		t.Error(got)
	}
	write(t, root, map[string]string{"d/60.conf": "no.such.thing = 1\n"})
	if err := applySysctls(filepath.Join(root, "d"), filepath.Join(root, "sys")); err == nil || !strings.Contains(err.Error(), "no.such.thing") {
		t.Error(err)
	}
}

func TestContainerdFollowsTheHost(t *testing.T) {
	for capabilities, wanted := range map[string]string{"000001ffffffffff": "false", "000001fffeffffff": "true"} {
		root := t.TempDir()
		write(t, root, map[string]string{
			"template": "restrict = @RESTRICT_OOM@\nsystemd = @SYSTEMD_CGROUP@\n",
			"status":   "Name:\tx\nCapEff:\t" + capabilities + "\n",
		})
		path := func(name string) string { return filepath.Join(root, name) }
		if err := configureContainerd(path("template"), path("made"), path("status")); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path("made")); got != "restrict = "+wanted+"\nsystemd = false\n" {
			t.Error(got)
		}
	}
}

func TestCgroupV1(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"memory/x": "", "cpu,cpuacct/x": "", "pids/x": "", "systemd/x": "",
		"cpuset/cpuset.cpus": "0-1\n", "cpuset/cpuset.mems": "0\n",
		"cpuset/libpod/abc/kubelet/cpuset.cpus": "", "cpuset/libpod/abc/kubelet/cpuset.mems": "",
		"cpuset/libpod/abc/cpuset.cpus": "1\n", "cpuset/libpod/abc/cpuset.mems": "\n",
		"cpuset/libpod/cpuset.cpus": "0-1\n", "cpuset/libpod/cpuset.mems": "0\n",
	})
	path, err := makeCgroups(root, "12:pids:/libpod/abc\n4:memory:/libpod/abc\n1:name=systemd:/other\n0::/\n")
	if err != nil || path != "/libpod/abc/kubelet" {
		t.Fatalf("%s %v", path, err)
	}
	for _, hierarchy := range []string{"memory", "cpu,cpuacct", "pids", "systemd"} {
		if _, err := os.Stat(filepath.Join(root, hierarchy, path)); err != nil {
			t.Error(err)
		}
	}
	if got := read(t, filepath.Join(root, "cpuset", path, "cpuset.cpus")); got != "1\n" {
		t.Errorf("processors are %q", got)
	}
	if got := read(t, filepath.Join(root, "cpuset", path, "cpuset.mems")); got != "0\n" {
		t.Errorf("memory nodes are %q", got)
	}
}

func TestCgroupV1WithoutOneThatIsNotNeeded(t *testing.T) {
	for hierarchy, needed := range map[string]bool{"cpu,cpuacct": true, "memory": true, "systemd": false} {
		root := t.TempDir()
		// A file where the container's own cgroup should be.
		write(t, root, map[string]string{hierarchy + "/libpod": "", "pids/x": ""})
		_, err := makeCgroups(root, "4:memory:/libpod/abc\n")
		if (err != nil) != needed {
			t.Errorf("%s: %v", hierarchy, err)
		}
	}
}

func TestCgroupV2(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"cgroup.controllers": "cpu cpuset memory pids io\n", "cgroup.procs": "",
		"box/cgroup.controllers": "cpu cpuset memory pids\n", "box/cgroup.procs": "1\n7\n",
	})
	path, err := makeCgroups(root, "0::/box\n")
	if err != nil || path != "/box/kubelet" {
		t.Fatalf("%s %v", path, err)
	}
	if got := read(t, filepath.Join(root, "box/init/cgroup.procs")); got != "7" {
		t.Errorf("last moved %q", got)
	}
	if got := read(t, filepath.Join(root, "box/cgroup.subtree_control")); got != "+pids" {
		t.Errorf("last handed on %q", got)
	}
	write(t, root, map[string]string{"box/cgroup.controllers": "memory\n"})
	if _, err := makeCgroups(root, "0::/box\n"); err == nil || !strings.Contains(err.Error(), "cpu") {
		t.Error(err)
	}
}

func TestBridgeHasTheFirstNodesAddresses(t *testing.T) {
	if got := bridgeConfig(netip.MustParsePrefix("10.42.0.0/16")); !strings.Contains(got, `"subnet":"10.42.0.0/24"`) {
		t.Error(got)
	}
}
