package host

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/state"
)

// newLab makes a lab in a directory of its own; nothing of it runs.
func newLab(t *testing.T, name string, o state.Options) *state.Store {
	t.Helper()
	dir := t.TempDir()
	s, err := state.Root{Var: dir + "/var", Run: dir + "/run"}.Open(t.Context(), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	o.Proxy = state.NFTables
	if err := s.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseStat(t *testing.T) {
	const tail = " 1 7 7 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 5 0 998877 1000 200"
	tests := []struct {
		name     string
		in       string
		wantBorn uint64
		wantDead bool
		wantErr  bool
	}{
		{name: "running", in: "7 (etcd) S" + tail, wantBorn: 998877},
		{name: "name with parentheses and spaces", in: "7 (a) b (c) R" + tail, wantBorn: 998877},
		{name: "zombie", in: "7 (etcd) Z" + tail, wantBorn: 998877, wantDead: true},
		{name: "no name", in: "7 etcd S" + tail, wantErr: true},
		{name: "short", in: "7 (etcd) S 1 2", wantErr: true},
		{name: "empty", in: "", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			born, dead, err := parseStat([]byte(tt.in))
			if born != tt.wantBorn || dead != tt.wantDead || (err != nil) != tt.wantErr {
				t.Errorf("got %d, %t, %v, want %d, %t, error %t", born, dead, err, tt.wantBorn, tt.wantDead, tt.wantErr)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (etcd) S 1 7 7 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 5 0 998877 1000"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = parseStat(data) // must not panic
	})
}

func TestAddressLines(t *testing.T) {
	s := newLab(t, "lines", state.Options{Nodes: 1, Clients: 1, Routers: []string{"frr"}, Family: state.Dual, Second: true})
	tests := []struct {
		host string
		want []string
	}{
		{host: "node1", want: []string{
			"addr add 172.30.1.11/24 dev eth0", "addr add fd30:1::11/64 dev eth0 nodad", "link set eth0 up",
			"addr add 172.31.1.11/24 dev eth1", "addr add fd31:1::11/64 dev eth1 nodad", "link set eth1 up",
			"route add default via 172.30.1.5 dev eth0", "-6 route add default via fd30:1::5 dev eth0",
		}},
		{host: "frr1", want: []string{
			"addr add 172.30.1.5/24 dev eth0", "addr add fd30:1::5/64 dev eth0 nodad", "link set eth0 up",
			"addr add 172.31.1.5/24 dev eth1", "addr add fd31:1::5/64 dev eth1 nodad", "link set eth1 up",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			h, err := s.Lab().Host(tt.host)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, addressLines(s.Lab(), h)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAssignSides(t *testing.T) {
	l := newLab(t, "sides", state.Options{Nodes: 3, Clients: 1, Family: state.IPv4}).Lab()
	tests := []struct {
		name    string
		sides   [][]string
		want    map[string]int
		wantErr string
	}{
		{name: "two sides", sides: [][]string{{"node1", "client"}, {"node2"}}, want: map[string]int{"node1": 0, "client": 0, "node2": 1}},
		{name: "three sides", sides: [][]string{{}, {"node1"}, {"node2"}}, want: map[string]int{"node1": 1, "node2": 2}},
		{name: "unknown host", sides: [][]string{{"node9"}}, wantErr: `host "node9"`},
		{name: "host on both", sides: [][]string{{"node1"}, {"node1"}}, wantErr: `host "node1": named on two sides`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := assignSides(l, tt.sides)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("got %v, want %q", err, tt.wantErr)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("sides (-want +got), %v:\n%s", err, diff)
			}
		})
	}
}

// A process of a lab is found by its environment, by lab and by host, and only
// it; and it is gone after a sweep.
func TestOwnedProcesses(t *testing.T) {
	l := newLab(t, "owned", state.Options{Nodes: 2, Family: state.IPv4}).Lab()
	start := func(value string) *exec.Cmd {
		c := exec.Command("sleep", "600")
		c.Env = []string{marker + "=" + value}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		return c
	}
	one, two, other := start("owned/node1/x").Process.Pid, start("owned/node2/x").Process.Pid, start("owned2/node1/x").Process.Pid
	check := func(host string, want ...int) {
		t.Helper()
		got, err := processes(l, host)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("processes of %q (-want +got), %v:\n%s", host, err, diff)
		}
	}
	check("", one, two)
	check("node1", one)
	if err := sweep(t.Context(), l, "node1"); err != nil {
		t.Fatal(err)
	}
	check("", two)
	if err := sweep(t.Context(), l, ""); err != nil {
		t.Fatal(err)
	}
	check("")
	if _, dead, err := stat(other); err != nil || dead {
		t.Errorf("process of another lab: dead %t, %v", dead, err)
	}
}

// A pid that was given to another process is not the process recorded.
func TestAliveComparesBirth(t *testing.T) {
	c := exec.Command("sleep", "600")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	born, _, err := stat(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := state.Process{PID: c.Process.Pid, Born: born}
	if !Alive(p) {
		t.Error("not alive, want alive")
	}
	if Alive(state.Process{PID: p.PID, Born: born + 1}) {
		t.Error("alive with another birth")
	}
	if Alive(state.Process{}) {
		t.Error("alive without a pid")
	}
	_ = c.Process.Kill()
	if err := waitUntil(t.Context(), func() bool { return !Alive(p) }); err != nil {
		t.Errorf("a dead process that nobody waited for is alive: %v", err)
	}
	_ = c.Wait()
}
