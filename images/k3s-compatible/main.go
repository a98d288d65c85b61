// The first process of a k3s-compatible container: it honours the container contract of k3s (arguments, paths, log lines, signals) with
// upstream's own Kubernetes components as child processes. It is not k3s.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// How long components may take to end when the container is stopped; engines wait ten seconds by default before they kill.
const stopTimeout = 3 * time.Second

// What ends the node in order: what engines send by default, Ctrl-C, and SIGRTMIN+3 as the C library counts it, with which systemd is told to
// halt (systemd(1)) and which a node image for kind therefore names as its stop signal.
var stopSignals = []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.Signal(37)}

// restartSignal restarts the kubelet.
const restartSignal = syscall.SIGUSR1

func main() {
	started := time.Now()
	options, err := parseArguments(os.Args[1:], os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if options.help {
		fmt.Print(usage)
		return
	}
	journal := &journal{started: started, out: os.Stderr}
	processes := newProcesses(journal)
	go processes.reap()

	signals := notified()
	failed := make(chan error, 1)
	node := newNode(options, journal, processes)
	go func() {
		if err := node.run(); err != nil {
			failed <- err
		}
	}()
	os.Exit(supervise(processes, signals, failed))
}

// notified is told of every signal that this process acts on.
func notified() chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, append(stopSignals, restartSignal)...)
	return signals
}

// supervise acts on signals and failures until one of them ends the node, ends its components, and returns the exit code.
func supervise(processes *processes, signals <-chan os.Signal, failed <-chan error) int {
	journal := processes.journal
	for {
		var failure error
		select {
		case received := <-signals:
			if received == restartSignal {
				processes.restart("kubelet")
				continue
			}
			journal.info("received %v, ending", received)
			processes.endAll(stopTimeout)
			return 0
		case failure = <-failed:
		case failure = <-processes.gaveUp:
		}
		journal.fatal(failure)
		processes.endAll(stopTimeout)
		return 1
	}
}
