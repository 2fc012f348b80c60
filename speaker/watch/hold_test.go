package watch

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/speaker/desired"
)

// A moment is what a node sees at one pass, and what comes of it.
type moment struct {
	at       time.Duration
	others   int
	link     string // "up", "down", "none", "new" for one more link beside it
	wins     string // one letter for each address that it wins
	allowed  string // those that it may announce
	released time.Duration
}

func TestHold(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name     string
		expected int
		moments  []moment
	}{
		{"one node only: at once, always", 0, []moment{
			{0, 0, "up", "ab", "ab", 0},
			{1000 * ms, 0, "down", "", "", 0},
			{2000 * ms, 0, "up", "ab", "ab", 0},
		}},
		{"power on, nobody else found: at once", 2, []moment{
			{0, 0, "up", "abc", "abc", 0},
		}},
		{"power on, the switch comes last", 2, []moment{
			{0, 0, "down", "", "", 0},
			{5000 * ms, 0, "up", "abc", "", 6000 * ms},
			{5200 * ms, 2, "up", "a", "", 5300 * ms},
			{5300 * ms, 2, "up", "a", "a", 0},
		}},
		{"another node dies: its addresses at once", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{9000 * ms, 1, "up", "ab", "ab", 0},
		}},
		{"all others die: what is announced stays, the rest after a while", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{9000 * ms, 0, "up", "abc", "a", 9300 * ms},
			{9200 * ms, 0, "up", "abc", "a", 9300 * ms},
			{9300 * ms, 0, "up", "abc", "abc", 0},
		}},
		{"a machine was paused and only thinks that all died", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{9000 * ms, 0, "up", "abc", "a", 9300 * ms},
			{9100 * ms, 2, "up", "a", "a", 0},
			{9900 * ms, 2, "up", "a", "a", 0},
		}},
		{"the cable is pulled and put back", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{1000 * ms, 2, "down", "", "", 0},
			{2000 * ms, 0, "down", "", "", 0},
			{8000 * ms, 0, "up", "abc", "", 9000 * ms},
			{8600 * ms, 1, "up", "ab", "", 8700 * ms},
			{8650 * ms, 2, "up", "a", "", 8700 * ms},
			{8700 * ms, 2, "up", "a", "a", 0},
		}},
		{"the cable is back, but nobody is there", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{1000 * ms, 2, "down", "", "", 0},
			{2000 * ms, 0, "down", "", "", 0},
			{8000 * ms, 0, "up", "abc", "", 9000 * ms},
			{9000 * ms, 0, "up", "abc", "abc", 0},
		}},
		{"the interface is gone and comes back", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{1000 * ms, 0, "none", "", "", 0},
			{8000 * ms, 0, "up", "abc", "", 9000 * ms},
		}},
		{"the link flaps before anybody is missed", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{1000 * ms, 2, "down", "", "", 0},
			{1100 * ms, 2, "up", "a", "", 1200 * ms},
			{1200 * ms, 2, "up", "a", "a", 0},
		}},
		{"a partition without loss of carrier heals", 2, []moment{
			{0, 2, "up", "a", "a", 0},
			{1000 * ms, 0, "up", "abc", "a", 1300 * ms},
			{1300 * ms, 0, "up", "abc", "abc", 0},
			{7000 * ms, 2, "up", "a", "a", 0},
			{7050 * ms, 2, "up", "ad", "a", 7100 * ms},
			{7100 * ms, 2, "up", "ad", "ad", 0},
		}},
		{"a new link beside the old is no return", 2, []moment{
			{0, 0, "up", "a", "a", 0},
			{1000 * ms, 0, "new", "ab", "ab", 0},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h hold
			zero := time.Unix(1000, 0)
			for _, m := range tt.moments {
				allowed, release := h.pass(surroundings{
					now: zero.Add(m.at), others: m.others, expected: tt.expected, links: linksOf(m.link),
				}, winning(m.wins))
				if diff := cmp.Diff(m.allowed, letters(allowed)); diff != "" {
					t.Errorf("at %v: allowed (-want +got):\n%s", m.at, diff)
				}
				var released time.Duration
				if !release.IsZero() {
					released = release.Sub(zero)
				}
				if released != m.released {
					t.Errorf("at %v: release at %v, want %v", m.at, released, m.released)
				}
			}
		})
	}
}

// linksOf returns the links of a moment.
func linksOf(state string) []desired.Link {
	prefix := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}
	local := []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}
	pod := desired.Link{Name: "veth1", Up: true, Prefixes: local}
	switch state {
	case "up":
		return []desired.Link{{Name: "eth0", Up: true, Prefixes: prefix}, pod}
	case "down":
		return []desired.Link{{Name: "eth0", Prefixes: prefix}, pod}
	case "new":
		return []desired.Link{{Name: "eth0", Up: true, Prefixes: prefix}, {Name: "eth1", Up: true, Prefixes: prefix}}
	default:
		return nil
	}
}

// winning returns an address for each letter.
func winning(letters string) []desired.Layer2Address {
	var out []desired.Layer2Address
	for _, c := range []byte(letters) {
		out = append(out, desired.Layer2Address{
			Address: netip.AddrFrom4([4]byte{192, 0, 2, c}), Interfaces: []string{"eth0"},
		})
	}
	return out
}

// letters is the reverse of winning.
func letters(list []desired.Layer2Address) string {
	var out []byte
	for _, a := range list {
		b := a.Address.As4()
		out = append(out, b[3])
	}
	return string(out)
}

// An address that is announced on one interface is held back on another.
func TestHoldByInterface(t *testing.T) {
	var h hold
	zero := time.Unix(1000, 0)
	on := func(names ...string) []desired.Layer2Address {
		return []desired.Layer2Address{{Address: netip.MustParseAddr("192.0.2.1"), Interfaces: names}}
	}
	tests := []struct {
		name   string
		at     time.Duration
		others int
		link   string
		want   []desired.Layer2Address
		get    []desired.Layer2Address
	}{
		{"all is well", 0, 2, "up", on("eth0", "veth1"), on("eth0", "veth1")},
		{"the cable is pulled", time.Second, 2, "down", on("veth1"), on("veth1")},
		{"all others are lost", 2 * time.Second, 0, "down", on("veth1"), on("veth1")},
		{"the cable is back", 9 * time.Second, 0, "up", on("eth0", "veth1"), on("veth1")},
		{"nobody was reached", 10 * time.Second, 0, "up", on("eth0", "veth1"), on("eth0", "veth1")},
	}
	for _, tt := range tests {
		got, _ := h.pass(surroundings{
			now: zero.Add(tt.at), others: tt.others, expected: 2, links: linksOf(tt.link),
		}, tt.want)
		if diff := cmp.Diff(tt.get, got, compareAddrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestStart(t *testing.T) {
	const ms = time.Millisecond
	type step struct {
		at             time.Duration
		keyed, settled bool
		want           stage
		wait           time.Duration
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"everything is there", []step{{0, true, true, stageOpen, 0}}},
		{"the others are found", []step{
			{0, true, false, stageSettle, settleLimit},
			{700 * ms, true, true, stageOpen, 0},
			{800 * ms, true, false, stageOpen, 0},
		}},
		{"the others are not found", []step{
			{0, true, false, stageSettle, 2000 * ms},
			{700 * ms, true, false, stageSettle, 1300 * ms},
			{2000 * ms, true, false, stageOpen, 0},
		}},
		{"the key is late", []step{
			{0, false, false, stageKey, 0},
			{60000 * ms, false, false, stageKey, 0},
			{61000 * ms, true, false, stageSettle, 2000 * ms},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s start
			for _, st := range tt.steps {
				wait := s.advance(time.Unix(1000, 0).Add(st.at), st.keyed, st.settled)
				if s.stage != st.want || wait != st.wait {
					t.Errorf("at %v: %v, wait %v; want %v, %v", st.at, s.stage, wait, st.want, st.wait)
				}
			}
		})
	}
}
