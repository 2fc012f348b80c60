package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/heraldlb/herald/lab/state"
)

// Containers returns the pids, sorted, of the first processes of all containers
// called name in the pods of a node. It reads what containerd keeps of each
// task, so it works while containerd is dead.
func Containers(l *state.Lab, node, name string) ([]int, error) {
	dir := l.RunPath(node, "containerd", "io.containerd.runtime.v2.task", "k8s.io")
	tasks, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, err
	}
	var pids []int
	var others []string
	for _, task := range tasks {
		called, pid, err := readTask(task)
		if err != nil || called == "" {
			continue // a sandbox, or a task that just went
		}
		if called != name {
			others = append(others, called)
			continue
		}
		pids = append(pids, pid)
	}
	if len(pids) == 0 {
		slices.Sort(others)
		return nil, fmt.Errorf("process %q on host %q: no daemon and no container; containers: %v", name, node, slices.Compact(others))
	}
	slices.Sort(pids)
	return pids, nil
}

// readTask returns the name of the container whose bundle is dir, as its pod
// has it, and the pid of its first process.
func readTask(dir string) (name string, pid int, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return "", 0, err
	}
	var spec struct{ Annotations map[string]string }
	if err := json.Unmarshal(data, &spec); err != nil {
		return "", 0, fmt.Errorf("container %s: %w", dir, err)
	}
	data, err = os.ReadFile(filepath.Join(dir, "init.pid"))
	if err != nil {
		return "", 0, err
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
	return spec.Annotations["io.kubernetes.cri.container-name"], pid, err
}
