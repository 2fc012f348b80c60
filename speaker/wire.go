package main

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/heraldlb/herald/speaker/bgp"
	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/layer2"
	"github.com/heraldlb/herald/speaker/members"
	"github.com/heraldlb/herald/speaker/sentry"
	"github.com/heraldlb/herald/speaker/watch"
)

// roster makes members.List fit watch.Members.
type roster struct{ *members.List }

var _ watch.Members = roster{}

// SetPeers implements watch.Members.
func (r roster) SetPeers(peers []watch.Peer) {
	out := make([]members.Peer, 0, len(peers))
	for _, p := range peers {
		out = append(out, members.Peer(p))
	}
	r.List.SetPeers(out)
}

// Links implements watch.Members.
func (r roster) Links() map[string][]desired.Link {
	records := r.Records()
	out := make(map[string][]desired.Link, len(records))
	for node, record := range records {
		if record.Links != nil {
			out[node] = record.Links
		}
	}
	return out
}

// accuse tells the members which nodes a sentry finds silent, until ctx ends. A
// node that hears nobody is the one that is cut off, and accuses nobody.
func accuse(s *sentry.Sentry, list *members.List) manager.RunnableFunc {
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-s.Changed():
				if s.Alone() {
					list.SetSilent(nil)
					continue
				}
				list.SetSilent(s.Silent())
			}
		}
	}
}

// announcer makes layer2.Announcer fit watch.Layer2.
type announcer struct{ *layer2.Announcer }

var _ watch.Layer2 = announcer{}

// Led implements watch.Layer2.
func (a announcer) Led() []watch.Led {
	led := a.Announcer.Led()
	out := make([]watch.Led, 0, len(led))
	for _, l := range led {
		out = append(out, watch.Led(l))
	}
	return out
}

// NextConflict implements watch.Layer2.
func (a announcer) NextConflict(ctx context.Context) (watch.Conflict, bool) {
	select {
	case c := <-a.Conflicts():
		return watch.Conflict(c), true
	case <-ctx.Done():
		return watch.Conflict{}, false
	}
}

// routers makes bgp.Announcer fit watch.BGP.
type routers struct{ *bgp.Announcer }

var _ watch.BGP = routers{}

// Sessions implements watch.BGP.
func (r routers) Sessions() []watch.BGPSession {
	sessions := r.Announcer.Sessions()
	out := make([]watch.BGPSession, 0, len(sessions))
	for _, s := range sessions {
		out = append(out, watch.BGPSession{
			Peer: s.Peer, Address: s.Address, State: s.State.String(), Since: s.Since,
			LastError: s.LastError, PrefixesSent: s.PrefixesSent, BFD: (*watch.BFDSession)(s.BFD),
		})
	}
	return out
}
