// Lab runs a real Kubernetes cluster on one machine, in network namespaces: a
// control plane, nodes, clients and routers on one switched segment, and the
// faults that a network has. Tests, demos and measurements drive it by its
// verbs and nothing else. Every verb takes --name, may be repeated, and prints
// text or, with --json, one JSON document.
package main
