package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

var logDirectory = "/var/log/k3s"

var restartPause = time.Second

// A component that ends more often than this within the window takes the node down with it.
const (
	mostRestarts  = 3
	restartWindow = time.Minute
)

// processes starts children and reaps every process of the container: as its first process this one adopts the shims of containerd.
type processes struct {
	journal *journal
	gaveUp  chan error

	lock     sync.Mutex
	waiting  map[int]chan syscall.WaitStatus
	services map[string]*service
	order    []string
	ending   bool
}

type service struct {
	name      string
	program   string
	arguments []string
	pid       int
	ended     chan struct{}
	restarts  []time.Time
	// stage is set while the node starts: an end is then final, and told with it.
	stage  string
	wanted bool
}

func newProcesses(j *journal) *processes {
	return &processes{journal: j, gaveUp: make(chan error, 8), waiting: map[int]chan syscall.WaitStatus{}, services: map[string]*service{}}
}

// reap waits for every child, known or adopted, for as long as the container lives.
func (p *processes) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			// No child at the moment.
			time.Sleep(20 * time.Millisecond)
			continue
		}
		p.lock.Lock()
		channel := p.waiting[pid]
		delete(p.waiting, pid)
		p.lock.Unlock()
		if channel != nil {
			channel <- status
		}
	}
}

// spawn starts a program whose output goes to its own log file, or what it prints into another file. The lock keeps the reaper from seeing
// its end before it is known.
func (p *processes) spawn(name, program string, arguments []string, output string) (int, chan syscall.WaitStatus, error) {
	file, err := os.OpenFile(logPath(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close()
	printed := file
	if output != "" {
		if printed, err = os.OpenFile(output, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return 0, nil, err
		}
		defer printed.Close()
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	p.lock.Lock()
	defer p.lock.Unlock()
	process, err := os.StartProcess(program, append([]string{filepath.Base(name)}, arguments...), &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{null, printed, file},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return 0, nil, err
	}
	channel := make(chan syscall.WaitStatus, 1)
	p.waiting[process.Pid] = channel
	pid := process.Pid
	_ = process.Release()
	return pid, channel, nil
}

// run starts a program, waits for its end, and fails with its stage unless it ended with 0.
func (p *processes) run(stage, program string, arguments ...string) error {
	return p.runInto("", stage, program, arguments...)
}

// runInto does the same and keeps what the program prints in a file.
func (p *processes) runInto(output, stage, program string, arguments ...string) error {
	name := filepath.Base(program)
	_, ended, err := p.spawn(name, program, arguments, output)
	if err != nil {
		return &stageError{stage: stage, log: logPath(name), cause: err}
	}
	if status := <-ended; status.ExitStatus() != 0 {
		return &stageError{stage: stage, log: logPath(name), cause: fmt.Errorf("%s %s", program, ending(status))}
	}
	return nil
}

// serve starts a component that is to run for as long as the node. Until `settle` its end fails the node with this stage; later it is
// started again, unless it ends too often.
func (p *processes) serve(name, program string, arguments ...string) error {
	s := &service{name: name, program: program, arguments: arguments, stage: name, wanted: true}
	p.lock.Lock()
	p.services[name] = s
	p.order = append(p.order, name)
	p.lock.Unlock()
	if err := p.startService(s); err != nil {
		return &stageError{stage: name, log: logPath(name), cause: err}
	}
	return nil
}

func (p *processes) startService(s *service) error {
	pid, status, err := p.spawn(s.name, s.program, s.arguments, "")
	if err != nil {
		return err
	}
	p.lock.Lock()
	s.pid = pid
	s.ended = make(chan struct{})
	ended := s.ended
	p.lock.Unlock()
	go func() {
		result := <-status
		p.lock.Lock()
		s.pid = 0
		over := p.ending
		p.lock.Unlock()
		close(ended)
		if !over {
			p.afterEnd(s, result)
		}
	}()
	return nil
}

func (p *processes) afterEnd(s *service, status syscall.WaitStatus) {
	now := time.Now()
	p.lock.Lock()
	asked := !s.wanted
	s.wanted = true
	recent := s.restarts[:0]
	for _, at := range s.restarts {
		if now.Sub(at) < restartWindow {
			recent = append(recent, at)
		}
	}
	s.restarts = recent
	final := s.stage != "" || (!asked && len(s.restarts) >= mostRestarts)
	if !asked {
		s.restarts = append(s.restarts, now)
	}
	p.lock.Unlock()
	failure := &stageError{stage: s.name, log: logPath(s.name), cause: fmt.Errorf("%s %s", s.name, ending(status))}
	if final {
		p.gaveUp <- failure
		return
	}
	if !asked {
		p.journal.warn("%s %s; it is started again", s.name, ending(status))
		time.Sleep(restartPause)
	}
	if err := p.startService(s); err != nil {
		p.gaveUp <- &stageError{stage: s.name, log: logPath(s.name), cause: err}
	}
}

// settle ends the start: from now on a component that ends is started again.
func (p *processes) settle() {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, s := range p.services {
		s.stage = ""
	}
}

// restart ends a component on request; it is started again at once.
func (p *processes) restart(name string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	s := p.services[name]
	if s == nil || s.pid == 0 {
		p.journal.warn("%s does not run, so it is not restarted", name)
		return
	}
	p.journal.info("%s is restarted, as asked for", name)
	s.wanted = false
	_ = syscall.Kill(s.pid, syscall.SIGTERM)
}

// endAll asks every component to end, the last started first, and kills what is left after the time-out.
func (p *processes) endAll(timeout time.Duration) {
	p.lock.Lock()
	p.ending = true
	running := []*service{}
	for i := len(p.order) - 1; i >= 0; i-- {
		if s := p.services[p.order[i]]; s.pid != 0 {
			running = append(running, s)
			_ = syscall.Kill(s.pid, syscall.SIGTERM)
		}
	}
	p.lock.Unlock()
	deadline := time.After(timeout)
	for _, s := range running {
		select {
		case <-s.ended:
		case <-deadline:
			p.journal.warn("%s did not end within %v", s.name, timeout)
			return
		}
	}
}

func logPath(name string) string { return filepath.Join(logDirectory, filepath.Base(name)+".log") }

func ending(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("was ended by %v", status.Signal())
	}
	return fmt.Sprintf("ended with exit code %d", status.ExitStatus())
}
