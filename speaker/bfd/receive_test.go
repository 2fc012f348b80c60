package bfd

import "testing"

// TestAdmits: a packet over a single hop must come through the interface of the
// session. Those of a multihop session are sent through a VRF perhaps, and come in
// through an interface that belongs to it.
func TestAdmits(t *testing.T) {
	local := sideAddrs[0][0]
	for _, multihop := range []bool{false, true} {
		s := &session{
			machine: &machine{state: Up}, outbox: simOutbox{iface: "e0"},
			key: key{local: local, iface: "e0", multihop: multihop},
		}
		e := &engine{}
		if !e.admits(s, arrival{to: local, index: 1}) {
			t.Errorf("multihop %v: not through the interface itself", multihop)
		}
		if got := e.admits(s, arrival{to: local, index: 2}); got != multihop {
			t.Errorf("multihop %v: through another interface: %v", multihop, got)
		}
	}
}
