// Package host makes the hosts of a lab: network namespaces on one switch,
// the daemons in them, and the faults that tests want.
//
// The switch is a bridge in a namespace of its own, NAME-switch; every host has
// a link to it, called eth0 on the host and by the host's name on the switch. A
// lab may have a second network on the same switch, which hosts know as eth1 and
// which no cut and no partition touches.
// This machine itself is not on that segment; one more link leads to the
// control plane alone. A node has a mount namespace too, so that what container
// tools leave in fixed places stays with the node and ends with it.
//
// Daemons are started in their host's namespaces and are children of nobody.
// Each carries its lab in its environment; by that, by its namespaces and by
// its cgroup every process of a lab is found when it must go, recorded or not.
// A process is signalled by its pid, and only after a look at when it was born.
//
// The package knows nothing of Kubernetes.
package host
