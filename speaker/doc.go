// Command speaker announces the addresses of Services to the network around
// its node.
//
// It runs on every node as a DaemonSet, on the host's network, with NET_RAW as
// its one capability. It reads Services, endpoints, nodes and Herald's objects
// from the Kubernetes API, learns from the other speakers which of them are
// alive, and answers for the addresses that this node has won. To routers it
// speaks BGP, with BFD beside it. It never assigns an address, and what it
// announces stays announced while the API is away.
package main
