package ledger

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/heraldlb/herald/speaker/desired"
)

// MaxPacket is the length of the longest message that is sent in a packet.
const MaxPacket = 1200

// version is that of the encoding.
const version = 1

// Bounds on what a message says, besides those of a Record.
const (
	maxName    = 253 // of a Kubernetes object
	maxEpoch   = 1 << 48
	maxVersion = 1 << 63
)

// Flags of a message, a claim, a record and a link, and of the length of a
// network.
const (
	flagComplete = 1
	flagIPv6     = 1
	flagWeak     = 2
	flagKnown    = 1
	flagUp       = 1
	lengthIPv6   = 0x80
)

// A Message is what one speaker tells another.
type Message struct {
	// From is the node of the speaker that tells.
	From string
	// Complete is true when it had heard all there is to hear by then: it did
	// not just start.
	Complete bool
	Claims   []desired.Claim
	Records  []Record
}

// A VersionError is what Decode returns for a message of another version.
type VersionError struct {
	// From is the node of the speaker that sent it.
	From    string
	Version byte
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("gossip of %q: version %d, want %d", e.From, e.Version, version)
}

// errSender is what Decode returns for what does not even name its sender.
var errSender = errors.New("gossip: names no sender")

// validName reports whether a name can be that of a node.
func validName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name)
}

// validClaim reports whether a claim can be told to others.
func validClaim(c desired.Claim) bool {
	return c.Address.IsValid() && c.Address.Zone() == "" && !c.Address.Is4In6() &&
		validName(c.Node) && c.Epoch > 0 && c.Epoch <= maxEpoch
}
