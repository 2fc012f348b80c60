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
// spread by address. All announcements of a node together are paced to 20,000
// frames a second, two for an IPv4 address in the burst: first announcements go
// before probes, and probes before repeated announcements. An interface that
// comes up again, is created again or gets another hardware address announces
// anew. One that sends nothing for 20 ms, because its queue is full, is left alone
// for 100 ms and begins anew then, so that the others do not wait for it.
//
// # Probes
//
// An address that no speaker has announced before is probed for, if Config says
// so, before it is answered: three frames in 10 ms that ask for it and claim
// nothing (RFC 5227 section 2.1, RFC 4862 section 5.4). Nobody objects for 5 ms
// more: it is announced. A station that has it, or probes for it as well, keeps
// it: the address is not answered on that interface, Contested says so, and it
// is probed for again about every ten seconds until it is free. The RFCs wait
// for seconds; who objects within the two seconds of RFC 5227 after the last
// probe is therefore right as well, although we have begun to answer. What comes
// from another node is never probed for and never waits.
//
// # Yielding
//
// An address that this node gives away yields: it is answered as before, not
// announced any more, and dropped when another station claims it. So there is no
// moment without an answer, and none with two for longer than one frame takes.
//
// # Conflicts
//
// A frame in which another station claims one of our addresses is counted and
// reported. Fellow speakers, known by their hardware addresses, are no such
// stations: who of us has an address is settled by gossip. With strangers we
// wait a moment, for it may be a fellow that we do not know yet, and if the
// address is still ours then, we say so: up to four times in ten seconds, the
// interval of RFC 5227 section 2.4.
package layer2
