package gobgp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// daemons are programs in a router's namespace.
type daemons struct {
	t       testing.TB
	ns      *netns
	dir     string
	running []*exec.Cmd
}

func newDaemons(t testing.TB, ns *netns) daemons {
	t.Helper()
	dir, err := os.MkdirTemp("", "gobgp") // a daemon without privileges cannot reach t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return daemons{t: t, ns: ns, dir: dir}
}

// run starts a program, or skips the test if there is none.
func (d *daemons) run(name string, args ...string) {
	d.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		d.t.Skipf("needs %s", name)
	}
	// FRR's daemons keep files in /var/tmp, whatever they are told.
	args = append([]string{"--mount", "--", "sh", "-c", `mount -t tmpfs gobgp /var/tmp && exec "$0" "$@"`, name}, args...)
	cmd := exec.Command("unshare", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := d.ns.do(cmd.Start); err != nil {
		d.t.Fatal(err)
	}
	d.running = append(d.running, cmd)
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if d.t.Failed() {
			d.t.Logf("%s:\n%s", name, tail(out.String(), 6000))
		}
	})
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// kill ends the programs without a word.
func (d *daemons) kill() {
	for _, cmd := range d.running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	d.running = nil
}

// ask runs a command in the namespace and returns what it says.
func (d *daemons) ask(name string, args ...string) []byte {
	d.t.Helper()
	var out []byte
	_ = d.ns.do(func() (err error) {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	return out
}

// file writes a file and returns its path.
func (d *daemons) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// A routerDaemon is another implementation of BGP.
type routerDaemon interface {
	// start starts it with a configuration of the session, in its own language.
	start()
	kill()
	// reset has it reset the session.
	reset()
	// routes returns its routes by prefix, as words.
	routes() map[string]route
	// established reports whether its session is.
	established() bool
	// updates is how many UPDATEs it has received.
	updates() int
}

// A route is one as a router has it.
type route struct {
	NextHops    string
	Path        string
	MED         int
	LocalPref   int
	Communities string
	Large       string
	Stale       bool
}

// frr is FRR's bgpd, with zebra.
type frr struct {
	daemons
	// config are the lines after "router bgp".
	asn      int
	neighbor string // the node's address
	top      []string
	lines    []string
}

func newFRR(t testing.TB, ns *netns, asn int, neighbor string, lines ...string) *frr {
	t.Helper()
	return &frr{daemons: newDaemons(t, ns), asn: asn, neighbor: neighbor, lines: lines}
}

func (f *frr) start() {
	f.t.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		f.t.Skip("needs FRR")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(f.dir, uid, gid); err != nil {
		f.t.Fatal(err)
	}
	text := append(append([]string{"log stdout debugging", "debug bgp neighbor-events", "debug bgp updates in"}, f.top...),
		fmt.Sprintf("router bgp %d", f.asn), "bgp router-id 192.0.2.254", "no bgp ebgp-requires-policy", "no bgp network import-check")
	text = append(text, f.lines...)
	conf := f.file("frr.conf", strings.Join(text, "\n")+"\n")
	for _, name := range []string{"zebra.vty", "bgpd.vty", "zserv.api"} {
		_ = os.Remove(filepath.Join(f.dir, name))
	}
	for _, name := range []string{"zebra", "bgpd"} {
		f.run("/usr/lib/frr/"+name,
			"-f", conf, "-i", filepath.Join(f.dir, name+".pid"), "--vty_socket", f.dir,
			"-z", filepath.Join(f.dir, "zserv.api"), "-P", "0")
		wait(f.t, name+" is there", func() bool {
			_, err := os.Stat(filepath.Join(f.dir, name+".vty"))
			return err == nil
		})
	}
}

// vtysh runs commands.
func (f *frr) vtysh(commands ...string) []byte {
	f.t.Helper()
	args := []string{"--vty_socket", f.dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return f.ask("vtysh", args...)
}

func (f *frr) reset() { f.vtysh("clear bgp *") }

func (f *frr) established() bool { return f.peer().BgpState == "Established" }

func (f *frr) updates() int { return f.peer().MessageStats.UpdatesRecv }

type frrPeer struct {
	BgpState       string
	LastResetDueTo string
	MessageStats   struct{ UpdatesRecv int }
}

func (f *frr) peer() frrPeer {
	f.t.Helper()
	var all map[string]frrPeer
	_ = json.Unmarshal(f.vtysh("show bgp neighbors "+f.neighbor+" json"), &all)
	return all[f.neighbor]
}

func (f *frr) routes() map[string]route {
	f.t.Helper()
	all := map[string]route{}
	for _, family := range []string{"ipv4", "ipv6"} {
		var table struct {
			Routes map[string][]struct{ Peerid string }
		}
		_ = json.Unmarshal(f.vtysh("show bgp "+family+" unicast json"), &table)
		for prefix := range table.Routes {
			all[prefix] = f.route(family, prefix)
		}
	}
	return all
}

func (f *frr) route(family, prefix string) route {
	f.t.Helper()
	var detail struct {
		Paths []struct {
			Aspath         struct{ String string }
			Metric         int
			LocPrf         int
			Stale          bool
			Community      struct{ String string }
			LargeCommunity struct{ String string }
			Nexthops       []struct{ IP string }
		}
	}
	_ = json.Unmarshal(f.vtysh("show bgp "+family+" unicast "+prefix+" json"), &detail)
	if len(detail.Paths) != 1 {
		return route{}
	}
	p := detail.Paths[0]
	var hops []string
	for _, h := range p.Nexthops {
		hops = append(hops, h.IP)
	}
	return route{
		NextHops: strings.Join(hops, " "), Path: strings.TrimPrefix(p.Aspath.String, "Local"), MED: p.Metric, LocalPref: p.LocPrf,
		Communities: p.Community.String, Large: p.LargeCommunity.String, Stale: p.Stale,
	}
}

// wait waits for something.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	waitFor(t, 20*time.Second, what, ok)
}

func waitFor(t testing.TB, d time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > d {
			t.Fatalf("not within %v: %s", d, what)
		}
		<-time.After(10 * time.Millisecond)
	}
	return time.Since(began)
}
