// Package sys has the OOM score functions of containerd's pkg/sys for hosts without CAP_SYS_RESOURCE. It is compiled into gVisor's shim
// in the place of containerd's own file, which takes the refusal of a lower score for the end of the shim.
package sys

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	// OOMScoreAdjMin is the lowest value that the kernel takes.
	OOMScoreAdjMin = -1000
	// OOMScoreAdjMax is the highest value that the kernel takes.
	OOMScoreAdjMax = 1000
)

// AdjustOOMScore sets the score of a process, but not below the score of the caller.
func AdjustOOMScore(pid, score int) error {
	own, err := GetOOMScoreAdj(os.Getpid())
	if err != nil {
		return err
	}
	return SetOOMScore(pid, max(score, own))
}

// SetOOMScore sets the score of a process; that lowering it takes CAP_SYS_RESOURCE is not an error here.
func SetOOMScore(pid, score int) error {
	if score < OOMScoreAdjMin || score > OOMScoreAdjMax {
		return fmt.Errorf("value out of range (%d): OOM score must be between %d and %d", score, OOMScoreAdjMin, OOMScoreAdjMax)
	}
	err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0)
	if errors.Is(err, os.ErrPermission) {
		return nil
	}
	return err
}

// GetOOMScoreAdj reads the score of a process.
func GetOOMScoreAdj(pid int) (int, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}
