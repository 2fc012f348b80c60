package router

import (
	"bufio"
	"bytes"
	"context"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/heraldlb/herald/lab/state"
)

// showBIRD asks BIRD for sessions and routes.
func showBIRD(ctx context.Context, l *state.Lab, h state.Host) (*View, error) {
	protocols, err := CLI(ctx, l, h, "show protocols all")
	if err != nil {
		return nil, err
	}
	routes, err := CLI(ctx, l, h, "show route all")
	if err != nil {
		return nil, err
	}
	// An error says that the configuration has no BFD.
	bfd, _ := CLI(ctx, l, h, "show bfd sessions")
	return parseBIRD(protocols, bfd, routes, time.Now()), nil
}

// parseBIRD makes a view of what BIRD said to the three commands of showBIRD
// at the time now.
func parseBIRD(protocols, bfd, routes []byte, now time.Time) *View {
	v := &View{Sessions: []Session{}, Routes: []Route{}, Forwarding: []Forward{}}
	states := parseBIRDBFD(bfd)
	peers := map[string]string{}
	for _, p := range parseBIRDProtocols(protocols, now) {
		if p.session.Peer == "" {
			continue // waits for peers
		}
		p.session.BFD = states[p.session.Peer]
		peers[p.name] = p.session.Peer
		v.Sessions = append(v.Sessions, p.session)
	}
	v.Routes = append(v.Routes, parseBIRDRoutes(routes, peers)...)
	v.markStale()
	v.sort()
	return v
}

// markStale marks the paths of peers that are gone. BIRD drops them unless
// they are kept for graceful restart, and does not say that they are.
func (v *View) markStale() {
	up := map[string]bool{}
	for _, s := range v.Sessions {
		up[s.Peer] = s.State == established
	}
	for _, r := range v.Routes {
		for i := range r.Paths {
			r.Paths[i].Stale = !up[r.Paths[i].Peer]
		}
	}
}

// birdTime is how the configuration makes BIRD write times.
const birdTime = "2006-01-02 15:04:05.000"

// birdProtocol is one BGP protocol of BIRD.
type birdProtocol struct {
	name    string
	session Session
}

// birdReader reads `show protocols all` line by line.
type birdReader struct {
	now     time.Time
	list    []birdProtocol
	since   string
	peer    bool   // the capabilities being read are the neighbor's
	channel string // the channel being read
}

// parseBIRDProtocols reads the BGP protocols of `show protocols all`.
func parseBIRDProtocols(out []byte, now time.Time) []birdProtocol {
	r := &birdReader{now: now}
	in := false
	for line := range lines(out) {
		if line == "" {
			continue
		}
		if line[0] != ' ' {
			f := strings.Fields(line)
			if in = len(f) >= 6 && f[1] == "BGP"; in {
				r.list = append(r.list, birdProtocol{name: f[0]})
				r.since, r.peer, r.channel = f[4]+" "+f[5], false, ""
			}
			continue
		}
		if in {
			r.detail(strings.TrimSpace(line), &r.list[len(r.list)-1].session)
		}
	}
	return r.list
}

// detail reads one line about a protocol into s.
func (r *birdReader) detail(line string, s *Session) {
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "BGP state":
		s.State = value
		if value == "Passive" { // BIRD's word for one that only waits
			s.State = "Active"
		}
		if since, err := time.ParseInLocation(birdTime, r.since, r.now.Location()); err == nil && value == established {
			s.UpSeconds = max(0, r.now.Sub(since).Round(time.Millisecond).Seconds())
		}
	case "Neighbor address":
		s.Peer = value
	case "Neighbor AS":
		n, _ := strconv.ParseUint(value, 10, 32) // 0 for what is no number
		s.ASN = uint32(n)
	case "Neighbor ID":
		s.RouterID = value
	case "Neighbor capabilities":
		r.peer = true
	case "Graceful restart":
		s.GracefulRestart = s.GracefulRestart || r.peer
	case "Hold timer":
		_, total, _ := strings.Cut(value, "/")
		s.HoldSeconds, _ = strconv.ParseFloat(total, 64)
	default:
		r.channelDetail(key, value, s)
	}
}

// channelDetail reads one line about a channel of a protocol into s.
func (r *birdReader) channelDetail(key, value string, s *Session) {
	first, _, _ := strings.Cut(value, " ")
	n, err := strconv.Atoi(first)
	switch key {
	case "Channel ipv4", "Channel ipv6":
		r.channel = key
	case "Routes":
		if r.channel == "Channel ipv4" {
			s.IPv4 = n
		} else {
			s.IPv6 = n
		}
	case "Import updates", "Import withdraws":
		if err != nil {
			return
		}
		if s.Changes == nil {
			s.Changes = new(int)
		}
		*s.Changes += n
	}
}

// parseBIRDBFD reads the states of `show bfd sessions` by address.
func parseBIRDBFD(out []byte) map[string]string {
	states := map[string]string{}
	for line := range lines(out) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		// Address, interface, state, and more; other lines are headings.
		if _, err := netip.ParseAddr(f[0]); err == nil {
			states[f[0]] = strings.ToLower(f[2])
		}
	}
	return states
}

// birdPath is the first line of a path: prefix (none for further paths to the
// same), protocol, and, after the brackets, marks.
var birdPath = regexp.MustCompile(`^(\S*)\s+\S+ \[(\S+) [^\]]*\](.*)$`)

// parseBIRDRoutes reads the BGP routes of `show route all`. peers are the
// addresses of the protocols' peers.
func parseBIRDRoutes(out []byte, peers map[string]string) []Route {
	var (
		list []Route
		path *Path
		now  string // the prefix that further paths are to
	)
	for line := range lines(out) {
		if strings.HasPrefix(line, "\t") {
			if path != nil {
				path.attribute(strings.TrimSpace(line))
			}
			continue
		}
		path = nil
		m := birdPath.FindStringSubmatch(line)
		if m == nil {
			continue // the name of a table
		}
		if m[1] != "" {
			now = m[1]
		}
		peer, ok := peers[m[2]]
		if !ok {
			continue // another protocol's
		}
		if len(list) == 0 || list[len(list)-1].Prefix != now {
			list = append(list, Route{Prefix: now})
		}
		r := &list[len(list)-1]
		r.Paths = append(r.Paths, Path{
			Peer: peer, NextHops: []string{},
			Best: strings.HasPrefix(m[3], " *"),
		})
		path = &r.Paths[len(r.Paths)-1]
	}
	return list
}

// attribute reads one line about p.
func (p *Path) attribute(line string) {
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "BGP.origin":
		p.Origin = value
	case "BGP.as_path":
		p.ASPath = value
	case "BGP.next_hop":
		p.NextHops = strings.Fields(value)
	case "BGP.med":
		p.MED = number(value)
	case "BGP.local_pref":
		p.LocalPref = number(value)
	case "BGP.community":
		p.Communities = communities(value)
	case "BGP.large_community":
		p.LargeCommunities = communities(value)
	}
}

// number reads an attribute that is a number, nil for what is none.
func number(s string) *uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return nil
	}
	v := uint32(n)
	return &v
}

// communities reads "(64512,1) (64512, 1, 2)" as "64512:1" and "64512:1:2".
func communities(s string) []string {
	var out []string
	s = strings.ReplaceAll(s, ", ", ",")
	for _, c := range strings.Fields(s) {
		out = append(out, strings.ReplaceAll(strings.Trim(c, "()"), ",", ":"))
	}
	return out
}

// lines returns the lines of out without their ends.
func lines(out []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		sc := bufio.NewScanner(bytes.NewReader(out))
		for sc.Scan() && yield(sc.Text()) {
		}
	}
}
