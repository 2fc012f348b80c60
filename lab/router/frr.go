package router

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/heraldlb/herald/lab/state"
)

// showFRR asks FRR for sessions and routes.
func showFRR(ctx context.Context, l *state.Lab, h state.Host) (*View, error) {
	out, err := CLI(ctx, l, h,
		"show bgp neighbors json", "show bfd peers json",
		"show bgp ipv4 unicast json detail", "show bgp ipv6 unicast json detail")
	if err != nil {
		return nil, err
	}
	return parseFRR(out)
}

// frrNeighbor is a session as FRR shows it.
type frrNeighbor struct {
	RemoteAs              uint32
	RemoteRouterID        string `json:"remoteRouterId"`
	BGPState              string
	BGPTimerUpMsec        float64
	BGPTimerHoldTimeMsecs float64
	NeighborCapabilities  struct{ GracefulRestart string }
	MessageStats          struct{ UpdatesRecv *int }
	AddressFamilyInfo     map[string]struct{ AcceptedPrefixCounter int }
}

// frrBFD is a BFD session as FRR shows it.
type frrBFD struct{ Peer, Status string }

// frrTable is the routes of one address family as FRR shows them. The first
// entry of a prefix is about the prefix itself and has no peer.
type frrTable struct {
	Routes map[string][]frrPath
}

// frrPath is one path as FRR shows it.
type frrPath struct {
	ASPath         struct{ String string }
	Origin         string
	Metric         *uint32
	LocPrf         *uint32
	BestPath       struct{ Overall bool }
	Stale          bool
	Community      struct{ List []string }
	LargeCommunity struct{ List []string }
	NextHops       []struct{ IP string }
	Peer           *struct{ PeerID string }
}

// parseFRR reads the four documents that showFRR asks for.
func parseFRR(out []byte) (*View, error) {
	var (
		neighbors map[string]json.RawMessage
		bfd       []frrBFD
		tables    [2]frrTable
	)
	dec := json.NewDecoder(bytes.NewReader(out))
	for _, to := range []any{&neighbors, &bfd, &tables[0], &tables[1]} {
		if err := dec.Decode(to); err != nil {
			return nil, fmt.Errorf("read what vtysh says: %w", err)
		}
	}
	v := &View{Sessions: []Session{}, Routes: []Route{}, Forwarding: []Forward{}}
	states := map[string]string{}
	for _, b := range bfd {
		states[b.Peer] = strings.ToLower(b.Status)
	}
	for peer, raw := range neighbors {
		var n frrNeighbor
		// Beside the neighbors there are words about the instance.
		if err := json.Unmarshal(raw, &n); err != nil || n.BGPState == "" {
			continue
		}
		v.Sessions = append(v.Sessions, n.session(peer, states[peer]))
	}
	for _, t := range tables {
		for prefix, paths := range t.Routes {
			r := Route{Prefix: prefix, Paths: []Path{}}
			for _, p := range paths {
				if p.Peer != nil {
					r.Paths = append(r.Paths, p.path())
				}
			}
			v.Routes = append(v.Routes, r)
		}
	}
	v.sort()
	return v, nil
}

// session returns n as a Session.
func (n frrNeighbor) session(peer, bfd string) Session {
	s := Session{
		Peer: peer, ASN: n.RemoteAs, RouterID: n.RemoteRouterID, State: n.BGPState, BFD: bfd,
		HoldSeconds:     n.BGPTimerHoldTimeMsecs / 1000,
		IPv4:            n.AddressFamilyInfo["ipv4Unicast"].AcceptedPrefixCounter,
		IPv6:            n.AddressFamilyInfo["ipv6Unicast"].AcceptedPrefixCounter,
		Updates:         n.MessageStats.UpdatesRecv,
		GracefulRestart: strings.Contains(strings.ToLower(n.NeighborCapabilities.GracefulRestart), "received"),
	}
	if s.State == established {
		s.UpSeconds = n.BGPTimerUpMsec / 1000
	} else {
		s.RouterID = "" // FRR shows 0.0.0.0
	}
	return s
}

// path returns p as a Path.
func (p frrPath) path() Path {
	out := Path{
		Peer: p.Peer.PeerID, NextHops: []string{}, ASPath: p.ASPath.String, Origin: p.Origin,
		MED: p.Metric, LocalPref: p.LocPrf, Best: p.BestPath.Overall, Stale: p.Stale,
		Communities: numbers(p.Community.List), LargeCommunities: p.LargeCommunity.List,
	}
	if out.ASPath == "Local" { // FRR's word for an empty one
		out.ASPath = ""
	}
	for _, nh := range p.NextHops {
		out.NextHops = append(out.NextHops, nh.IP)
	}
	return out
}

// wellKnown are the communities that FRR has names for, as numbers.
var wellKnown = map[string]string{
	"gracefulShutdown": "65535:0", "acceptOwn": "65535:1", "llgrStale": "65535:6", "noLlgr": "65535:7",
	"blackhole": "65535:666", "noExport": "65535:65281", "noAdvertise": "65535:65282", "localAs": "65535:65283",
	"noPeer": "65535:65284", "internet": "0:0",
}

// numbers returns communities as numbers, which BIRD knows alone.
func numbers(list []string) []string {
	var out []string
	for _, c := range list {
		if n, ok := wellKnown[c]; ok {
			c = n
		}
		out = append(out, c)
	}
	return out
}
