package netnstest

import (
	"os"
	"os/user"
	"strconv"
	"testing"
)

// FRR is an instance of FRR, without integrated configuration.
type FRR struct{ *Daemons }

// NewFRR returns one that is to run in n. It needs the Debian package frr.
func NewFRR(t testing.TB, n *Namespace) *FRR {
	t.Helper()
	u, err := user.Lookup("frr")
	if err != nil {
		Need(t, "FRR")
	}
	f := &FRR{NewDaemons(t, n)}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(f.dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return f
}

// Start starts zebra and then daemons such as "bfdd" and "bgpd", all with the
// same configuration, and waits until they can be asked.
func (f *FRR) Start(config string, daemons ...string) {
	f.t.Helper()
	conf := f.File("frr.conf", config)
	for _, left := range []string{"zserv.api", "bfdd.sock"} {
		_ = os.Remove(f.Path(left)) // by daemons that were killed
	}
	for _, name := range append([]string{"zebra"}, daemons...) {
		args := []string{"-f", conf, "-i", f.Path(name + ".pid"), "--vty_socket", f.dir, "-z", f.Path("zserv.api"), "-P", "0"}
		if name == "bfdd" {
			args = append(args, "--bfdctl", f.Path("bfdd.sock"))
		}
		_ = os.Remove(f.Path(name + ".vty"))
		f.Run("/usr/lib/frr/"+name, args...)
		f.await(f.Path(name + ".vty"))
	}
}

// Vtysh runs commands one after another and returns what vtysh says.
func (f *FRR) Vtysh(commands ...string) []byte {
	args := []string{"--vty_socket", f.dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return f.Ask("vtysh", args...)
}

// BIRD is an instance of BIRD 2.
type BIRD struct{ *Daemons }

// NewBIRD returns one that is to run in n. It needs the Debian package bird2.
func NewBIRD(t testing.TB, n *Namespace) *BIRD {
	t.Helper()
	return &BIRD{NewDaemons(t, n)}
}

// Start starts BIRD and waits until it can be asked.
func (b *BIRD) Start(config string) {
	b.t.Helper()
	_ = os.Remove(b.Path("bird.ctl"))
	b.Run("bird", "-f", "-c", b.File("bird.conf", config), "-s", b.Path("bird.ctl"), "-P", b.Path("bird.pid"))
	b.await(b.Path("bird.ctl"))
}

// Configure has a running BIRD take another configuration.
func (b *BIRD) Configure(config string) {
	b.t.Helper()
	b.File("bird.conf", config)
	b.Birdc("configure")
}

// Birdc runs a command and returns what birdc says.
func (b *BIRD) Birdc(command ...string) []byte {
	return b.Ask("birdc", append([]string{"-s", b.Path("bird.ctl")}, command...)...)
}
