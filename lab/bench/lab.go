package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/heraldlb/herald/lab/drive"
)

// downTime bounds how long taking a lab down may take.
const downTime = 5 * time.Minute

// A lab drives the lab program.
type lab struct {
	program, name string
	// Lab is the same one, for what is seen from beside the cluster.
	*drive.Lab
}

// labStatus is what of `lab status` this program reads.
type labStatus struct {
	Kubeconfig string `json:"kubeconfig"`
	AuditLog   string `json:"auditLog"`
	Hosts      []struct {
		Processes []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		} `json:"processes"`
	} `json:"hosts"`
}

// newLab finds the lab program.
func newLab(program, name string) (*lab, error) {
	tries := []string{program}
	if program == "" {
		tries = []string{"build/lab", "../build/lab"}
	}
	for _, p := range tries {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(abs); err == nil {
			l, err := drive.New(filepath.Dir(filepath.Dir(abs)), name)
			return &lab{abs, name, l}, err
		}
	}
	return nil, errors.New("the lab program is not built (make build)")
}

// command returns the lab program with a verb for this lab.
func (l *lab) command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.program, append([]string{verb, "--name", l.name}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// up starts the lab with Herald in it.
func (l *lab) up(ctx context.Context) error {
	if err := l.command(ctx, "up", "--nodes", "3", "--routers", "frr,bird").Run(); err != nil {
		return fmt.Errorf("lab up: %w", err)
	}
	return nil
}

// down takes the lab down.
func (l *lab) down(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, downTime)
	defer cancel()
	if err := l.command(ctx, "down").Run(); err != nil {
		progress("lab down: %v", err)
	}
}

// status asks the lab where everything is.
func (l *lab) status(ctx context.Context) (labStatus, error) {
	var st labStatus
	out, err := l.command(ctx, "status", "--json").Output()
	if err != nil {
		return st, fmt.Errorf("lab status: %w", err)
	}
	return st, json.Unmarshal(out, &st)
}

// pid returns the process id of the daemon called name.
func (s labStatus) pid(name string) (int, error) {
	for _, h := range s.Hosts {
		for _, p := range h.Processes {
			if p.Name == name {
				return p.PID, nil
			}
		}
	}
	return 0, fmt.Errorf("lab status: no process %s", name)
}

// pids returns the process ids of all daemons, by the names of their programs.
func (s labStatus) pids() map[string][]int {
	out := map[string][]int{}
	for _, h := range s.Hosts {
		for _, p := range h.Processes {
			out[p.Name] = append(out[p.Name], p.PID)
		}
	}
	return out
}

// ticksPerSecond is the unit of the times in /proc/PID/stat (proc(5)); it is
// the same on every architecture that Linux runs Go on.
const ticksPerSecond = 100

// cpuSeconds returns the processor time that a process has used.
func cpuSeconds(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses; utime and stime are the
	// fourteenth and the fifteenth.
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: %d fields in stat", pid, len(fields))
	}
	var ticks float64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, fmt.Errorf("process %d: stat: %w", pid, err)
		}
		ticks += n
	}
	return ticks / ticksPerSecond, nil
}
