package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/heraldlb/herald/api/v1beta1"
)

// deviceName judges the name of one network device.
func (f *findings) deviceName(field, name string) {
	switch {
	case len(name) > maxInterfaceName:
		f.reject(InvalidValue, field, name, "a device's name has at most %d bytes", maxInterfaceName)
	case strings.ContainsAny(name, "/: \t\r\n") || name == "." || name == "..":
		f.reject(InvalidValue, field, name, "not the name of a device")
	}
}

// bfd looks spec.bfdProfile up.
func (f *findings) bfd(name string, p profiles, peer *Peer) {
	if name == "" {
		return
	}
	peer.BFD = p.accepted[name]
	if peer.BFD == nil {
		f.reject(UnknownReference, "spec.bfdProfile", name, "%s", missing(v1beta1.KindBFDProfile, name, p.given))
	}
}

// password looks spec.passwordSecret up. Messages never show the password.
func (f *findings) password(secret string, passwords map[string]string, peer *Peer) {
	const field = "spec.passwordSecret"
	if secret == "" {
		return
	}
	peer.Password = passwords[secret]
	switch n := len(peer.Password); {
	case n == 0:
		f.reject(MissingSecret, field, secret, "no Secret of that name with a key \"password\" in Herald's namespace")
	case n > maxPassword:
		f.reject(InvalidValue, field, secret, "the password has %d bytes, and TCP MD5 takes at most %d", n, maxPassword)
	}
}

// twin rejects a peer that has the router of an older one in common on a node.
// Whether two different selectors select one node cannot be known here; a
// router with one address in every rack is a reason to have such peers.
func (f *findings) twin(peer *Peer, older []Peer) {
	for i := range older {
		o := &older[i]
		if o.Address != peer.Address || o.Interface != peer.Interface || o.VRF != peer.VRF ||
			!meet(o.NodeSelectors, peer.NodeSelectors) {
			continue
		}
		field, value := "spec.peerAddress", peer.Address.String()
		if !peer.Address.IsValid() {
			field, value = "spec.interface", peer.Interface
		}
		f.reject(Conflict, field, value, "BGPPeer %q, which came first, has it on the same nodes", o.Name)
		return
	}
}

// meet reports whether two lists of selectors are known to select one node:
// one of them selects every node, or they have a selector in common.
func meet(a, b []labels.Selector) bool {
	if matchesAll(a) || matchesAll(b) {
		return true
	}
	return slices.ContainsFunc(a, func(s labels.Selector) bool {
		return slices.ContainsFunc(b, func(t labels.Selector) bool { return s.String() == t.String() })
	})
}

// matchesAll reports whether a list of selectors is known to match everything.
func matchesAll(list []labels.Selector) bool {
	return len(list) == 0 || slices.ContainsFunc(list, labels.Selector.Empty)
}
