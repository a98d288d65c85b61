package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// journal writes the container's log: one line an event, with the seconds since the start.
type journal struct {
	started time.Time
	out     io.Writer
	lock    sync.Mutex
}

func (j *journal) info(format string, values ...any) { j.line("info", fmt.Sprintf(format, values...)) }
func (j *journal) warn(format string, values ...any) {
	j.line("warning", fmt.Sprintf(format, values...))
}

func (j *journal) line(level, message string) {
	j.lock.Lock()
	defer j.lock.Unlock()
	fmt.Fprintf(j.out, "level=%s t=%.3f msg=%q\n", level, time.Since(j.started).Seconds(), message)
}

// fatal says at which stage the node failed and what the component that failed last wrote.
func (j *journal) fatal(err error) {
	var failure *stageError
	if !errors.As(err, &failure) {
		j.line("fatal", err.Error())
		return
	}
	j.lock.Lock()
	fmt.Fprintf(j.out, "level=fatal t=%.3f stage=%s msg=%q\n", time.Since(j.started).Seconds(), failure.stage, failure.cause.Error())
	for _, line := range lastLines(failure.log, evidenceLines) {
		fmt.Fprintf(j.out, "  %s\n", line)
	}
	j.lock.Unlock()
}

// Lines of a component's log that explain its end.
const evidenceLines = 12

// stageError is the failure of one stage of the start; log is the file that tells more, if any.
type stageError struct {
	stage string
	log   string
	cause error
}

func (e *stageError) Error() string { return e.stage + ": " + e.cause.Error() }
func (e *stageError) Unwrap() error { return e.cause }

func lastLines(path string, count int) []string {
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return lines[max(0, len(lines)-count):]
}
