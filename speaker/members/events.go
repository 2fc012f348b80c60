package members

import "github.com/hashicorp/memberlist"

// events is told of every change by memberlist, which holds a lock meanwhile:
// nothing may be asked of it then, so the owner of the state is woken to.
type events struct{ wake func() }

var _ memberlist.EventDelegate = events{}

// NotifyJoin implements memberlist.EventDelegate.
func (e events) NotifyJoin(*memberlist.Node) { e.wake() }

// NotifyLeave implements memberlist.EventDelegate.
func (e events) NotifyLeave(*memberlist.Node) { e.wake() }

// NotifyUpdate implements memberlist.EventDelegate.
func (e events) NotifyUpdate(*memberlist.Node) {}
