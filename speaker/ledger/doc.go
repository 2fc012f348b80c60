// Package ledger is what the speakers tell each other: which node each address
// belongs to (claims), and about each node the state of its links and which
// other nodes it finds silent (records).
//
// A Ledger holds the best that was heard of every address and the latest that
// was heard of every node. Merging is commutative, associative and idempotent:
// two speakers that have heard the same know the same, in whatever order, and
// however often, they heard it. A Queue says what is worth telling next, and
// Encode and Decode turn a Message into bytes and back: a packet with as many
// claims as fit, or all that is known at once.
//
// # What it promises
//
// Decode takes what a network may deliver. It never panics, allocates no more
// than a small multiple of what it was given, and what it accepts is encoded
// again to a message of the same meaning. A message of a version that it does
// not know is a *VersionError that names the speaker it came from: version and
// sender stand at the beginning of every message of every version, for good.
//
// It never sends, waits or logs, knows no clock, and is not safe for use by
// several goroutines at once; what Claims and Records return is never written
// again and is.
//
// # Encoding
//
// Numbers are unsigned varints unless said otherwise, texts have their length
// before them.
//
//	version   1 byte, 1
//	sender    text, the name of a node
//	flags     1 byte: 1 the sender has heard all there is to hear
//	names     count, then texts; they are numbered from 1, the sender is 0
//	claims    count, then of each: 1 byte of flags (1 IPv6, 2 weak), the address,
//	          the number of the node's name, the epoch
//	records   count, then of each: the number of the node's name, the version,
//	          1 byte of flags (1 the links are known), the links and the
//	          numbers of the silent nodes' names, each after their count
//	link      text, 1 byte of flags (1 up), 6 bytes of MAC, count of networks,
//	          then of each: 1 byte of length (IPv6: and 128), and as many bytes of
//	          the address as the length needs
//
// 10,000 claims of IPv4 addresses are 70 kB, and 160 fit into a packet.
package ledger
