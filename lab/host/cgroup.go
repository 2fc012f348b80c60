package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/heraldlb/herald/lab/state"
)

// cgroupRoot is where control groups are: of version 2 itself, of version 1 in
// a directory for each hierarchy.
const cgroupRoot = "/sys/fs/cgroup"

// allLabs is the group of all labs, see state.Lab.Cgroup.
const allLabs = "/lab"

// labWeight is what the pods of all labs weigh when processors are short, beside
// 1 for each program that this machine runs outside of them: the kernel counts
// a group as one. The pods of a machine of its own weigh more than all of its
// daemons; here those of several machines stand beside them.
const labWeight = 20

// The files that take the weight of a group by version of cgroups, and the
// weight that a group or program has when nobody says otherwise.
var weightFiles = map[string]int{"cpu.shares": 1024, "cpu.weight": 100}

// CreateCgroups makes the group that everything in the pods of a node runs in,
// in every hierarchy.
func CreateCgroups(l *state.Lab, node string) error {
	roots, err := filepath.Glob(cgroupRoot + "/*/cgroup.procs")
	if err != nil {
		return err
	}
	if exists(cgroupRoot + "/cgroup.procs") {
		roots = []string{cgroupRoot + "/cgroup.procs"}
	}
	for _, procs := range roots {
		root := filepath.Dir(procs)
		if err := os.MkdirAll(filepath.Join(root, l.Cgroup(node)), 0o755); err != nil {
			return err
		}
		if err := weigh(filepath.Join(root, allLabs)); err != nil {
			return err
		}
	}
	return nil
}

// weigh gives the group of all labs its weight, in the hierarchy that has one.
func weigh(dir string) error {
	for name, usual := range weightFiles {
		file := filepath.Join(dir, name)
		if !exists(file) {
			continue
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(labWeight*usual)), 0o644); err != nil {
			return fmt.Errorf("weight of the pods: %w", err)
		}
	}
	return nil
}

// cgroups lists where group is in the hierarchies of this machine: one for each
// controller under cgroup v1, the only one under v2.
func cgroups(group string) []string {
	var out []string
	for _, root := range []string{cgroupRoot, cgroupRoot + "/*"} {
		dirs, _ := filepath.Glob(root + group) // the pattern is well formed
		out = append(out, dirs...)
	}
	return out
}

// removeCgroups removes group and what is below it in every hierarchy. The
// kernel refuses for a moment after the last process has ended.
func removeCgroups(ctx context.Context, group string) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	var last error
	err := waitUntil(ctx, func() bool {
		last = nil
		for _, dir := range cgroups(group) {
			last = errors.Join(last, removeTree(dir))
		}
		return last == nil
	})
	if err != nil {
		return fmt.Errorf("remove cgroup %s: %w", group, errors.Join(err, last))
	}
	for _, dir := range cgroups(allLabs) {
		_ = os.Remove(dir) // only when no other lab is in it
	}
	return nil
}

// removeTree removes the directories of a cgroup, the deepest first. Its files
// are the kernel's and go with it.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := os.Remove(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
