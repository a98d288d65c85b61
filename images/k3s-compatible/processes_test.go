package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The reaper waits for every child of this process, so that only one can be at work in a test binary.
var shared *processes
var written bytes.Buffer

func startProcesses(t *testing.T) *processes {
	t.Helper()
	if shared == nil {
		logDirectory = filepath.Join(os.TempDir(), "k3s-compatible-test-logs")
		if err := os.MkdirAll(logDirectory, 0o755); err != nil {
			t.Fatal(err)
		}
		restartPause = 10 * time.Millisecond
		shared = newProcesses(&journal{started: time.Now(), out: &written})
		go shared.reap()
	}
	return shared
}

func awaitFailure(t *testing.T, p *processes) *stageError {
	t.Helper()
	select {
	case err := <-p.gaveUp:
		return err.(*stageError)
	case <-time.After(10 * time.Second):
		t.Fatal("nobody gave up")
		return nil
	}
}

func TestAProgramThatEndsBadly(t *testing.T) {
	p := startProcesses(t)
	if err := p.run("good", "/bin/true"); err != nil {
		t.Error(err)
	}
	err := p.run("bad", "/bin/sh", "-c", "echo why; exit 7")
	failure, is := err.(*stageError)
	if !is || failure.stage != "bad" || !strings.Contains(failure.Error(), "exit code 7") {
		t.Fatal(err)
	}
	if lines := lastLines(failure.log, 1); len(lines) != 1 || lines[0] != "why" {
		t.Error(lines)
	}
}

func TestOutputOfItsOwn(t *testing.T) {
	p := startProcesses(t)
	output := filepath.Join(t.TempDir(), "out")
	if err := p.runInto(output, "stage", "/bin/sh", "-c", "echo printed; echo trouble >&2"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, output); got != "printed\n" {
		t.Errorf("%q", got)
	}
}

func TestAComponentThatEndsWhileTheNodeStarts(t *testing.T) {
	p := startProcesses(t)
	if err := p.serve("early", "/bin/sh", "-c", "exit 3"); err != nil {
		t.Fatal(err)
	}
	if failure := awaitFailure(t, p); failure.stage != "early" || !strings.Contains(failure.Error(), "exit code 3") {
		t.Error(failure)
	}
}

func TestAComponentIsStartedAgainButNotForEver(t *testing.T) {
	p := startProcesses(t)
	marks := filepath.Join(t.TempDir(), "marks")
	if err := p.serve("restless", "/bin/sh", "-c", "sleep 0.05; echo x >>"+marks); err != nil {
		t.Fatal(err)
	}
	p.settle()
	if failure := awaitFailure(t, p); failure.stage != "restless" {
		t.Error(failure)
	}
	if got := strings.Count(read(t, marks), "x"); got != 1+mostRestarts {
		t.Errorf("it ran %d times", got)
	}
}

func TestRestartOnRequestIsNoFailure(t *testing.T) {
	p := startProcesses(t)
	marks := filepath.Join(t.TempDir(), "marks")
	if err := p.serve("asked", "/bin/sh", "-c", "echo x >>"+marks+"; exec sleep 60"); err != nil {
		t.Fatal(err)
	}
	p.settle()
	for wanted := 1; wanted <= mostRestarts+2; wanted++ {
		deadline := time.Now().Add(5 * time.Second)
		for {
			content, _ := os.ReadFile(marks)
			if strings.Count(string(content), "x") == wanted {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("start %d did not come", wanted)
			}
			time.Sleep(5 * time.Millisecond)
		}
		p.restart("asked")
	}
	p.endAll(5 * time.Second)
	select {
	case err := <-p.gaveUp:
		t.Error(err)
	default:
	}
}
