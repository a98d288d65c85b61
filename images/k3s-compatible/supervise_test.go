package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Set for a process of this test binary that stands in for a node: where its components leave marks.
const standInVariable = "K3S_COMPATIBLE_STAND_IN"

func TestMain(m *testing.M) {
	if marks := os.Getenv(standInVariable); marks != "" {
		os.Exit(standIn(marks))
	}
	os.Exit(m.Run())
}

// standIn is the first process of a container with two components that tell when they run and when they are asked to end.
func standIn(marks string) int {
	logDirectory = marks
	p := newProcesses(&journal{started: time.Now(), out: os.Stderr})
	go p.reap()
	signals := notified()
	for _, name := range []string{"containerd", "kubelet"} {
		script := "trap 'touch " + filepath.Join(marks, name+"-asked") + "; exit 0' TERM; touch " + filepath.Join(marks, name+"-runs") + "; while :; do sleep 0.02; done"
		if err := p.serve(name, "/bin/sh", "-c", script); err != nil {
			return 9
		}
	}
	p.settle()
	return supervise(p, signals, make(chan error))
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", filepath.Base(path))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestASignalEndsTheNodeInOrder(t *testing.T) {
	for name, sent := range map[string]syscall.Signal{"received terminated": syscall.SIGTERM, "received interrupt": syscall.SIGINT, "received signal 37": syscall.Signal(37)} {
		p := startProcesses(t)
		marks := t.TempDir()
		t.Setenv(standInVariable, marks)
		own, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		pid, ended, err := p.spawn("stand-in", own, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		awaitFile(t, filepath.Join(marks, "containerd-runs"))
		awaitFile(t, filepath.Join(marks, "kubelet-runs"))
		if err := syscall.Kill(pid, sent); err != nil {
			t.Fatal(err)
		}
		select {
		case status := <-ended:
			if !status.Exited() || status.ExitStatus() != 0 {
				t.Errorf("%s: the node %s", name, ending(status))
			}
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("%s: the node did not end", name)
		}
		if last := strings.Join(lastLines(logPath("stand-in"), 1), ""); !strings.Contains(last, name+", ending") {
			t.Errorf("its last line is %q", last)
		}
		for _, component := range []string{"containerd", "kubelet"} {
			if _, err := os.Stat(filepath.Join(marks, component+"-asked")); err != nil {
				t.Errorf("%s: %s was not asked to end", name, component)
			}
		}
	}
}
