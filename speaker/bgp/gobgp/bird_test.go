package gobgp

import (
	"bufio"
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/heraldlb/herald/internal/netnstest"
)

// bird is BIRD 2, with a protocol "node".
type bird struct {
	*netnstest.BIRD
	lines []string // of protocol bgp
}

func newBIRD(t testing.TB, ns *netnstest.Namespace, lines ...string) *bird {
	t.Helper()
	return &bird{BIRD: netnstest.NewBIRD(t, ns), lines: lines}
}

func (b *bird) start() {
	b.Start(`log stderr all;
router id 192.0.2.253;
protocol device {}
protocol direct { ipv4; ipv6; }
protocol kernel { ipv4 { export all; }; }
protocol bgp node {
	debug { states, events };
	connect delay time 1; error wait time 1,2; connect retry time 1;
	` + strings.Join(b.lines, "\n\t") + `
}
`)
}

func (b *bird) reset() { b.Birdc("restart", "node") }

func (b *bird) established() bool {
	return bytes.Contains(b.Birdc("show", "protocols", "node"), []byte("Established"))
}

var birdUpdates = regexp.MustCompile(`Import updates:\s+(\d+)`)

// updates counts prefixes, not messages: BIRD has no count of those.
func (b *bird) updates() int {
	n := 0
	for _, m := range birdUpdates.FindAllSubmatch(b.Birdc("show", "protocols", "all", "node"), -1) {
		k, _ := strconv.Atoi(string(m[1]))
		n += k
	}
	return n
}

var birdRoute = regexp.MustCompile(`^([0-9a-f.:]+/\d+)\s.*unicast`)

func (b *bird) routes() map[string]route {
	all := map[string]route{}
	var prefix string
	sc := bufio.NewScanner(bytes.NewReader(b.Birdc("show", "route", "all", "protocol", "node")))
	for sc.Scan() {
		if m := birdRoute.FindStringSubmatch(sc.Text()); m != nil {
			prefix = m[1]
			all[prefix] = route{Stale: strings.Contains(sc.Text(), "s]")}
			continue
		}
		name, value, _ := strings.Cut(strings.TrimSpace(sc.Text()), ": ")
		r := all[prefix]
		switch name {
		case "BGP.next_hop":
			r.NextHops = strings.TrimPrefix(value, ":: ") // one that is link-local alone
		case "BGP.as_path":
			r.Path = strings.TrimSpace(value)
		case "BGP.med":
			r.MED, _ = strconv.Atoi(value)
		case "BGP.local_pref":
			r.LocalPref, _ = strconv.Atoi(value)
		case "BGP.community":
			r.Communities = strings.NewReplacer("(", "", ")", "", ",", ":").Replace(value)
		case "BGP.large_community":
			r.Large = strings.NewReplacer("(", "", ")", "", ", ", ":").Replace(value)
		default:
			continue
		}
		all[prefix] = r
	}
	return all
}
