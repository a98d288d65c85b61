package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A cluster that takes what it is given and never has what it is asked for.
func unready(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet {
			http.Error(response, "not yet", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestObjectsThatAreRefusedAreAStage(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		http.Error(response, "not for you", http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	n := newNode(&options{}, nil, nil)
	err := n.applyObjects(&api{base: server.URL, client: server.Client()})
	if failure, is := err.(*stageError); !is || failure.stage != "objects" || !strings.Contains(err.Error(), "answered 403: not for you") {
		t.Error(err)
	}
}

func TestAStageThatWaitsInVainNamesItselfAndShowsWhoKnowsMore(t *testing.T) {
	usualTimeout, usualLogs := readyTimeout, logDirectory
	readyTimeout, logDirectory = 30*time.Millisecond, t.TempDir()
	t.Cleanup(func() { readyTimeout, logDirectory = usualTimeout, usualLogs })
	write(t, logDirectory, map[string]string{
		"kube-apiserver.log": "words of kube-apiserver\n", "kubelet.log": "words of kubelet\n",
		"kube-controller-manager.log": "words of kube-controller-manager\n",
	})
	server := unready(t)
	client := &api{base: server.URL, client: server.Client()}
	var log bytes.Buffer
	n := newNode(&options{serverURL: server.URL, token: "secret"}, &journal{started: time.Now(), out: &log}, nil)
	n.name = "n"
	for _, one := range []struct {
		stage, component string
		wait             func() error
	}{
		{"kube-apiserver", "kube-apiserver", func() error { return n.waitReady(client) }},
		{"node", "kubelet", func() error { return n.waitNode(client) }},
		{"service-account", "kube-controller-manager", func() error { return n.finish(client) }},
		{"discovery", "", n.discover},
		{"joining", "kubelet", n.waitJoined},
	} {
		err := one.wait()
		if err == nil {
			t.Errorf("%s: it did not fail", one.stage)
			continue
		}
		log.Reset()
		n.journal.fatal(err)
		lines := strings.SplitN(log.String(), "\n", 2)
		if !regexp.MustCompile(`^level=fatal t=[\d.]+ stage=` + one.stage + ` msg="not within 30ms: .+"$`).MatchString(lines[0]) {
			t.Errorf("%s: %s", one.stage, lines[0])
		}
		wanted := ""
		if one.component != "" {
			wanted = "  words of " + one.component + "\n"
		}
		if lines[1] != wanted {
			t.Errorf("%s: its last lines are %q", one.stage, lines[1])
		}
	}
}

func TestAStageBesideTheOthersIsToldAtOnce(t *testing.T) {
	p := newProcesses(&journal{started: time.Now(), out: &bytes.Buffer{}})
	usualLogs := logDirectory
	logDirectory = filepath.Join(t.TempDir(), "none")
	t.Cleanup(func() { logDirectory = usualLogs })
	n := newNode(&options{}, p.journal, p)
	if err := n.serverSteps()[0](); err != nil {
		t.Fatal(err)
	}
	if failure := awaitFailure(t, p); failure.stage != "seed" {
		t.Error(failure)
	}
}
