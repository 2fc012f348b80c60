// Package layer2 answers ARP (RFC 826) and IPv6 neighbor discovery (RFC 4861)
// for the addresses that this node announces, and tells the neighbours when an
// address has come here.
//
// An Announcer is driven by Set with the whole desired set, each time. It
// promises that an address in the set is answered on the interfaces named for
// it and nowhere else, with the interface's own hardware address, and that an
// address not in the set is not answered from the moment Set returns. It
// adds before it removes, and it never decides who should announce.
//
// The packet logic (what to answer, what to send, when to send it again) is
// pure; sockets are a thin shell around it. There is one packet socket for
// each interface and family, with a filter that drops in the kernel what is
// not for us. One goroutine owns all decisions; one more for each socket reads
// and answers.
//
// # Announcements
//
// An address that comes to an interface is announced there at once and again
// after 100, 300, 700 and 1500 ms: the first one moves the traffic, the next
// ones cover frames that were lost, and the last one the systems that ignore a
// second opinion about a neighbour for a second. After that it is repeated
// about once a minute, for switches and neighbours that forget; the minute is
// spread by address. All announcements of a node together are paced to 10,000
// addresses a second, first announcements before repeated ones. An interface
// that comes up again, is created again or gets another hardware address
// announces anew.
//
// # Conflicts
//
// A frame in which another station claims one of our addresses is counted and
// reported. It may be another speaker that has just been elected, whose claim
// is better and of which we are about to hear, or a stranger. So we wait a
// moment, and if the address is still ours then, we say so: up to four times
// in ten seconds, the interval of RFC 5227 section 2.4.
package layer2
