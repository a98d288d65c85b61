package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Controllers without which the kubelet does not start.
var neededControllers = []string{"cpu", "cpuset", "memory", "pids"}

// makeCgroups makes a cgroup for pods below this container's own in every hierarchy, so that it is unique on the host and gone with the
// container, and returns its path. root is where the hierarchies are mounted, membership the text of /proc/self/cgroup.
func makeCgroups(root, membership string) (string, error) {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return makeUnified(root, ownPath(membership, ""))
	}
	own := ownPath(membership, "memory")
	path := filepath.Join("/", own, "kubelet")
	hierarchies, err := os.ReadDir(root)
	if err != nil {
		return "", err
	}
	for _, hierarchy := range hierarchies {
		// Controllers that are mounted together have one folder and links to it.
		if !hierarchy.IsDir() {
			continue
		}
		directory := filepath.Join(root, hierarchy.Name())
		if err := os.MkdirAll(filepath.Join(directory, path), 0o755); err != nil {
			if isNeeded(hierarchy.Name()) {
				return "", fmt.Errorf("%s cannot be made: %w", filepath.Join(directory, path), err)
			}
			continue
		}
		if err := inheritCpuset(directory, path); err != nil {
			return "", err
		}
	}
	return path, nil
}

func isNeeded(hierarchy string) bool {
	return slices.ContainsFunc(strings.Split(hierarchy, ","), func(mounted string) bool {
		return slices.Contains(neededControllers, mounted)
	})
}

// ownPath is this process's cgroup in the hierarchy of a controller; "" means the unified one. Lines are `ID:CONTROLLERS:PATH`.
func ownPath(membership, controller string) string {
	for _, line := range strings.Split(membership, "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 {
			continue
		}
		if slices.Contains(strings.Split(fields[1], ","), controller) {
			return fields[2]
		}
	}
	return "/"
}

// inheritCpuset fills the processors and memory nodes of new cpusets from their parents; an empty one takes no process (cgroup v1).
func inheritCpuset(hierarchy, path string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		directory := hierarchy
		above, err := os.ReadFile(filepath.Join(directory, file))
		if err != nil {
			return nil
		}
		for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
			directory = filepath.Join(directory, part)
			target := filepath.Join(directory, file)
			present, err := os.ReadFile(target)
			if err != nil {
				return err
			}
			if len(bytes.TrimSpace(present)) == 0 {
				if err := os.WriteFile(target, above, 0o644); err != nil {
					return err
				}
				present = above
			}
			above = present
		}
	}
	return nil
}

// makeUnified does the same for cgroup v2, where a cgroup that hands controllers to its children holds no process of its own: those of
// this container move to a leaf first.
func makeUnified(root, own string) (string, error) {
	base := filepath.Join(root, own)
	leaf := filepath.Join(base, "init")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return "", err
	}
	pids, err := os.ReadFile(filepath.Join(base, "cgroup.procs"))
	if err != nil {
		return "", err
	}
	for _, pid := range strings.Fields(string(pids)) {
		// A process that ended meanwhile cannot be moved, and needs not.
		_ = os.WriteFile(filepath.Join(leaf, "cgroup.procs"), []byte(pid), 0o644)
	}
	offered, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return "", err
	}
	path := filepath.Join("/", own, "kubelet")
	pods := filepath.Join(root, path)
	if err := os.MkdirAll(pods, 0o755); err != nil {
		return "", err
	}
	available := strings.Fields(string(offered))
	for _, needed := range neededControllers {
		if !slices.Contains(available, needed) {
			return "", fmt.Errorf("the cgroup controller %s is not handed to this container", needed)
		}
	}
	for _, directory := range []string{base, pods} {
		for _, controller := range available {
			// Not every controller can be handed on; those that are needed were checked.
			_ = os.WriteFile(filepath.Join(directory, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		}
	}
	return path, nil
}

// ownUnified is where this container's own cgroup of the v2 hierarchy lies under a name that is the same in every container: a pod network
// attaches its programs there, and not to the host's root.
const ownUnified = "/run/local-cloud/cgroup2"

// mountUnified mounts it, also where the container was given v1 controllers only, and then for programs that look where systemd has it as
// well. This process moves into it, so that what it starts is told apart from the rest of the host. own is the path among the v1 controllers
// or in the v2 hierarchy; a kernel without v2 leaves nothing to mount.
func mountUnified(own string) error {
	const whole = "/run/local-cloud/cgroup2-root"
	for _, directory := range []string{whole, ownUnified} {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
	}
	if err := syscall.Mount("none", whole, "cgroup2", 0, ""); err != nil {
		return nil
	}
	base := filepath.Join(whole, own)
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(base, ownUnified, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return nil
	}
	if err := os.WriteFile(filepath.Join(base, "cgroup.procs"), []byte("0"), 0o644); err != nil {
		return err
	}
	const usual = "/sys/fs/cgroup/unified"
	if own != "/" {
		return nil
	}
	if err := os.MkdirAll(usual, 0o755); err != nil {
		return err
	}
	return syscall.Mount(base, usual, "", syscall.MS_BIND, "")
}
