// Package router runs the routers of a lab and reads what they know: FRR
// (zebra, bgpd, bfdd) and BIRD, each on a host of its own.
//
// A router waits for speakers: it takes BGP sessions, with BFD for those that
// want it, from every address of the segment, installs what it learns in its
// host's routing table, several next hops at once, and announces nothing. What
// it is to do instead can be said in a configuration of one's own, a template
// like the built-in ones.
//
// Show tells sessions and routes in one form for both kinds. It promises to
// read only what the router's own command line says, and the kernel's table;
// the functions that read that text are pure. The package knows nothing of
// Kubernetes and never changes a host other than the router's.
package router
