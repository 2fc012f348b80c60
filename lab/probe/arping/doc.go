// Package arping asks a segment who has an address, in ARP (RFC 826) for IPv4
// and in neighbor discovery (RFC 4861) for IPv6, and reports every link-layer
// address that answered and when, so that a test can see that exactly one node
// answers, that two did for a while, or that nobody did.
//
// It promises not to disturb what it watches: it asks under a link-layer and a
// protocol address of its own, which no host of the segment has, and listens
// promiscuously, so the neighbor cache of the host that it runs on learns
// nothing from the answers. Summarize, Question and Parse are pure. The package
// works in the network namespace of its process and needs CAP_NET_RAW. It never
// answers anything itself.
package arping
