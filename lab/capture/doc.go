// Package capture records what goes over a host's link and makes text of it.
//
// It promises that a recording which Record returned is complete: packets that
// the kernel saw until the end are in the file. It runs tcpdump for both, so it
// knows every protocol that tcpdump does, and never changes a packet.
package capture
