package router

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/heraldlb/herald/lab/state"
)

// The names of the sockets that the command lines of the daemons speak to.
const (
	bgpdSocket = "bgpd.vty"
	birdSocket = "bird.ctl"
)

// Socket returns the socket of the command line of the router on h, whose BGP
// daemon answers there; it is empty when h is no router.
func Socket(l *state.Lab, h state.Host) string {
	switch h.Kind {
	case frr:
		return l.RunPath(h.Name, bgpdSocket)
	case bird:
		return l.RunPath(h.Name, birdSocket)
	default:
		return ""
	}
}

// A Console is a connection to the command line of a router. Asking it takes
// less than a millisecond, a program for each question some fifty.
type Console struct {
	conn net.Conn
	in   *bufio.Reader
	bird bool
}

// Dial connects to the socket of a router's command line.
func Dial(ctx context.Context, socket string) (*Console, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	c := &Console{conn: conn, in: bufio.NewReader(conn), bird: filepath.Base(socket) == birdSocket}
	if c.bird {
		if _, err := c.in.ReadString('\n'); err != nil { // it greets
			return nil, fmt.Errorf("greeting of %s: %w", socket, err)
		}
	}
	return c, nil
}

// Close ends the connection.
func (c *Console) Close() error { return c.conn.Close() }

// Has reports whether the router's BGP table has a prefix.
func (c *Console) Has(p netip.Prefix) (bool, error) {
	if c.bird {
		answer, err := c.askBIRD("show route " + p.String())
		return strings.Contains(answer, p.String()), err
	}
	family := "ipv4"
	if p.Addr().Is6() {
		family = "ipv6"
	}
	answer, err := c.askFRR(fmt.Sprintf("show bgp %s unicast %s", family, p))
	return strings.Contains(answer, "entry for "+p.String()), err
}

// askFRR asks as vtysh does: the question ends with a zero, the answer with three
// of them and the result.
func (c *Console) askFRR(question string) (string, error) {
	if _, err := c.conn.Write(append([]byte(question), 0)); err != nil {
		return "", err
	}
	var answer []byte
	for !bytes.HasSuffix(answer, []byte{0, 0, 0}) {
		b, err := c.in.ReadByte()
		if err != nil {
			return "", err
		}
		answer = append(answer, b)
	}
	_, err := c.in.ReadByte()
	return string(answer), err
}

// askBIRD asks as birdc does: the last line of an answer has a space after its
// number, those before it a minus sign.
func (c *Console) askBIRD(question string) (string, error) {
	if _, err := fmt.Fprintln(c.conn, question); err != nil {
		return "", err
	}
	var answer strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", err
		}
		answer.WriteString(line)
		if numbered := len(line) > 4 && line[0] >= '0' && line[0] <= '9'; numbered && line[4] == ' ' {
			return answer.String(), nil
		}
	}
}
