package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/heraldlb/herald/lab/state"
)

// marker is the environment variable that every daemon carries; its value is
// LAB/HOST/NAME.
const marker = "LAB_PROCESS"

// Alive reports whether p runs: its pid exists, is no zombie, and was born when
// p was.
func Alive(p state.Process) bool {
	if p.PID == 0 {
		return false
	}
	born, dead, err := stat(p.PID)
	return err == nil && !dead && born == p.Born
}

// stat reads when a process was born, in clock ticks since boot, and whether
// it is dead and only waits for its parent.
func stat(pid int) (born uint64, dead bool, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false, err
	}
	return parseStat(data)
}

// parseStat reads /proc/PID/stat. The command's name in it may hold spaces and
// parentheses, so it counts from the last one.
func parseStat(data []byte) (born uint64, dead bool, err error) {
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return 0, false, fmt.Errorf("process status %q: no name", data)
	}
	fields := strings.Fields(string(data[i+1:]))
	if len(fields) < 20 {
		return 0, false, fmt.Errorf("process status %q: too short", data)
	}
	born, err = strconv.ParseUint(fields[19], 10, 64)
	return born, fields[0] == "Z" || fields[0] == "X", err
}

// pids lists the processes of this machine.
func pids() ([]int, error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, d := range dirs {
		if pid, err := strconv.Atoi(d.Name()); err == nil {
			out = append(out, pid)
		}
	}
	return out, nil
}

// inode identifies a namespace by the file that names it; zero when it is not
// there.
func inode(path string) uint64 {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0
	}
	return st.Ino
}

// owner decides which processes are a lab's.
type owner struct {
	mark   []byte          // the marker's beginning
	cgroup string          // part of every cgroup path of its pods
	spaces map[uint64]bool // its namespaces
}

// newOwner finds the namespaces of the lab, or those of one host of it.
func newOwner(l *state.Lab, host string) owner {
	o := owner{
		mark:   []byte("\x00" + marker + "=" + l.Name + "/"),
		cgroup: l.Cgroup(host) + "/",
		spaces: map[uint64]bool{},
	}
	glob := l.Netns("*")
	if host != "" {
		glob = l.Netns(host)
		o.mark = append(o.mark, host+"/"...)
	}
	files, _ := filepath.Glob(filepath.Join(netnsDir, glob)) // the pattern is well formed
	mounts, _ := filepath.Glob(l.RunPath("ns", "*"))
	if host != "" {
		mounts = []string{mountPath(l, host)}
	}
	for _, f := range append(files, mounts...) {
		if ino := inode(f); ino != 0 {
			o.spaces[ino] = true
		}
	}
	// A name that nothing is mounted on is a file of the file system around it.
	delete(o.spaces, inode("/proc/self/ns/net"))
	delete(o.spaces, inode("/proc/self/ns/mnt"))
	return o
}

// owns reports whether process pid is the lab's. A process that is gone, or
// dead, is nobody's.
func (o owner) owns(pid int) bool {
	dir := fmt.Sprintf("/proc/%d", pid)
	if _, dead, err := stat(pid); err != nil || dead {
		return false
	}
	env, _ := os.ReadFile(dir + "/environ")
	if bytes.Contains(append([]byte{0}, env...), o.mark) {
		return true
	}
	if o.spaces[inode(dir+"/ns/net")] || o.spaces[inode(dir+"/ns/mnt")] {
		return true
	}
	groups, _ := os.ReadFile(dir + "/cgroup")
	return strings.Contains(string(groups), o.cgroup)
}

// Signal sends sig to a process of a host that was found by its pid, after a
// look at whether it is that host's.
func Signal(l *state.Lab, host string, pid int, sig syscall.Signal) error {
	if !newOwner(l, host).owns(pid) {
		return fmt.Errorf("process %d on host %q: %w", pid, host, ErrNotRunning)
	}
	return syscall.Kill(pid, sig)
}

// processes lists the lab's processes; host "" means all hosts.
func processes(l *state.Lab, host string) ([]int, error) {
	all, err := pids()
	if err != nil {
		return nil, err
	}
	o := newOwner(l, host)
	var out []int
	for _, pid := range all {
		if pid != os.Getpid() && o.owns(pid) {
			out = append(out, pid)
		}
	}
	return out, nil
}
