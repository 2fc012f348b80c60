package watch

import (
	"context"
	"maps"
	"net/netip"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
)

// forgetEvery is how often claims are looked through for addresses that no
// Service has any more.
const forgetEvery = 10 * time.Minute

// announce has the links answer for what a pass has decided, and then tells
// the other speakers about it. Over is when an address that was given away is
// not answered for any longer; zero for never.
func (w *World) announce(ctx context.Context, now time.Time, allowed []desired.Layer2Address, state *desired.State) (over time.Time, err error) {
	w.meet()
	w.post()
	w.handover.give(now, w.Node, state.Claims, w.announced)
	want, over := w.handover.pass(now, allowed, w.Layer2.Led(), w.links)
	err = w.Layer2.Set(ctx, want)
	// Claims for what is held back are made as well: who has a better right to it
	// hears of them, and says so, before it is announced.
	if len(state.Claims) > 0 {
		w.Members.Claim(state.Claims)
		w.heard.own(state.Claims)
	}
	if now.Sub(w.forgot) >= forgetEvery {
		w.forgot = now
		w.Members.Forget(held(w.catalogue.services))
	}
	return over, err
}

// meet tells layer 2 which stations are other speakers, when that has changed.
func (w *World) meet() {
	fellows := map[[6]byte]string{}
	for node, links := range w.Members.Links() {
		for i := range links {
			if links[i].MAC != ([6]byte{}) {
				fellows[links[i].MAC] = node
			}
		}
	}
	if !maps.Equal(w.fellows, fellows) {
		w.fellows = fellows
		w.Layer2.SetFellows(fellows)
	}
}

// post has the sentry watch the members, as far as it is known where they are.
func (w *World) post() {
	present, at := w.Members.Present(), map[string]netip.Addr{}
	for _, p := range w.peers {
		if present[p.Node] {
			at[p.Node] = p.Addr
		}
	}
	if !maps.Equal(w.watched, at) {
		w.watched = at
		w.Sentry.SetMembers(at)
	}
}

// held returns a function that tells whether a Service has an address.
func held(services []*desired.Service) func(netip.Addr) bool {
	addrs := map[netip.Addr]bool{}
	for _, s := range services {
		for _, a := range s.Addresses {
			addrs[a] = true
		}
	}
	return func(a netip.Addr) bool { return addrs[a] }
}
