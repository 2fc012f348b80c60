package gobgp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A fake is a router that does what a test wants.
type fake struct {
	t        testing.TB
	listener net.Listener
	wg       sync.WaitGroup
}

// newFake starts a router at IPv4 on a link. Each connection is handled by itself
// and closed then. With a password it wants signed connections.
func newFake(t testing.TB, l *link, password string, handle func(c net.Conn)) *fake {
	t.Helper()
	f := &fake{t: t}
	l.router.Must(t, func() (err error) {
		config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			if password == "" {
				return nil
			}
			return errors.Join(c.Control(func(fd uintptr) { err = sign(int(fd), l.v4(1), password) }), err)
		}}
		config.SetMultipathTCP(false)
		f.listener, err = config.Listen(context.Background(), "tcp4", netip.AddrPortFrom(l.v4(2), 179).String())
		return err
	})
	f.wg.Go(func() {
		for {
			c, err := f.listener.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() {
				defer func() { _ = c.Close() }()
				stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
				defer stop()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = f.listener.Close()
		f.wg.Wait()
	})
	return f
}

// theirs is the OPEN of a router that does what most do.
func theirs() open {
	return open{
		asn: 64513, hold: 90, id: netip.MustParseAddr("192.0.2.200"),
		asn4: true, multiprotocol: true, ipv4: true, ipv6: true, refresh: true, restart: true,
	}
}

// say sends an OPEN and a KEEPALIVE.
func say(c net.Conn, o open) { _, _ = c.Write(append(o.marshal(), message(typeKeepalive)...)) }

// greet does that too, and reports whether it got the same.
func greet(c net.Conn, o open) (*reader, bool) {
	say(c, o)
	r := newReader(c)
	for _, want := range []byte{typeOpen, typeKeepalive} {
		kind, length, err := r.next()
		if err != nil || kind != want || r.skip(length) != nil {
			return r, false
		}
	}
	return r, true
}

// listen reads messages until the other end ends the connection, and returns the
// body of the NOTIFICATION before that, if there was one.
func listen(c net.Conn, r *reader) (notification []byte) {
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		kind, length, err := r.next()
		if err != nil {
			return notification
		}
		b, err := r.body(length)
		if err == nil && kind == typeNotification {
			notification = b
		}
	}
}
