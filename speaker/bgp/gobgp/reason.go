package gobgp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/heraldlb/herald/speaker/bgp"
)

// dialReason says in words why a connection was not made.
func dialReason(err error, n bgp.Neighbor) string {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return "the router refused the connection (RST): nothing listens there, or not for this node"
	case errors.Is(err, unix.EHOSTUNREACH):
		return "no answer to ARP or neighbor discovery, or a router on the way says: host unreachable"
	case errors.Is(err, unix.ENETUNREACH):
		return "no route to the router's network"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "the source address is not one of this node"
	case errors.Is(err, unix.ENODEV):
		return "no such interface on this node"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return "a firewall rule of this node, or a missing privilege, forbids the connection"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ETIMEDOUT):
		return silence(n)
	}
	return "connect: " + cause(err)
}

// silence says what may be behind a connection request that nobody answers. A
// wrong password looks the same as no router at all (RFC 2385 section 4.1), and so
// does a wrong TTL (RFC 5082).
func silence(n bgp.Neighbor) string {
	may := []string{"not there", "filtered"}
	if n.Password != "" {
		may = append(may, "TCP MD5: another password")
	} else {
		may = append(may, "it wants a password")
	}
	if n.TTLSecurity {
		may = append(may, "TTL security: it does not send with TTL 255")
	}
	return "connect timed out, no answer: " + strings.Join(may, "; ")
}

// streamReason says in words why an established connection ended.
func streamReason(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the router closed the connection without a NOTIFICATION"
	case errors.Is(err, unix.ECONNRESET):
		return "the router reset the connection (RST) without a NOTIFICATION"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the router does not take what it is sent"
	case errors.Is(err, unix.ETIMEDOUT):
		return "the connection timed out"
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return "the route to the router was lost"
	}
	return cause(err)
}

// cause is the innermost part of a network error, without addresses.
func cause(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Syscall + ": " + call.Err.Error()
	}
	return err.Error()
}

// codes are the names of errors in a NOTIFICATION (RFC 4271 section 4.5, RFC
// 5492, RFC 7313, RFC 4486, RFC 8538, RFC 9234, RFC 9384), by code, then subcode.
var codes = map[byte]struct {
	name string
	subs map[byte]string
}{
	1: {"message header error", map[byte]string{1: "connection not synchronized", 2: "bad message length", 3: "bad message type"}},
	2: {"OPEN message error", map[byte]string{
		1: "unsupported version", 2: "bad peer AS", 3: "bad BGP identifier", 4: "unsupported optional parameter",
		6: "unacceptable hold time", 7: "unsupported capability", 11: "role mismatch",
	}},
	3: {"UPDATE message error", map[byte]string{
		1: "malformed attribute list", 2: "unrecognized well-known attribute", 3: "missing well-known attribute",
		4: "attribute flags error", 5: "attribute length error", 6: "invalid origin", 8: "invalid next hop",
		9: "optional attribute error", 10: "invalid network field", 11: "malformed AS path",
	}},
	4: {"hold timer expired", nil},
	5: {"FSM error", map[byte]string{
		1: "unexpected message in OpenSent", 2: "unexpected message in OpenConfirm", 3: "unexpected message in Established",
	}},
	6: {"cease", map[byte]string{
		1: "maximum number of prefixes reached", 2: "administrative shutdown", 3: "peer de-configured",
		4: "administrative reset", 5: "connection rejected", 6: "other configuration change",
		7: "connection collision resolution", 8: "out of resources", 9: "hard reset", 10: "BFD down",
	}},
	7: {"ROUTE-REFRESH message error", map[byte]string{1: "invalid message length"}},
	8: {"send hold timer expired", nil},
}

// words says what the body of a NOTIFICATION says, which has at least two octets.
func words(body []byte) string {
	code, subcode, data := body[0], body[1], body[2:]
	c, ok := codes[code]
	if !ok {
		c.name = "unknown"
	}
	s := fmt.Sprintf("code %d (%s)", code, c.name)
	if subcode != 0 {
		name, ok := c.subs[subcode]
		if !ok {
			name = "unknown"
		}
		s += fmt.Sprintf(" subcode %d (%s)", subcode, name)
	}
	switch {
	case code == 6 && (subcode == 2 || subcode == 4):
		s += communication(data)
	case code == 2 && subcode == 7 && len(data) > 0:
		s += fmt.Sprintf(", capability %d", data[0])
	}
	return s
}

// communication is the text of an administrative shutdown or reset (RFC 9003),
// of which nothing but printable characters is told.
func communication(data []byte) string {
	if len(data) < 2 || int(data[0]) > len(data)-1 {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(data[1:1+int(data[0])]), ""))
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %q", text)
}
