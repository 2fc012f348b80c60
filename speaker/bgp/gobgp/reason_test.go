package gobgp

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/bgp"
)

// TestReasons: a session that does not come up, or went down, says why.
func TestReasons(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(l *link, n *bgp.Neighbor)
		// password is that of the router, and router what it does, if it is there.
		password string
		router   func(c net.Conn)
		hangUp   bool // and closes the connection then
		want     string
		// told is the code of the NOTIFICATION that the router gets.
		told []byte
	}{
		{name: "nothing listens", want: "the router refused the connection (RST)"},
		{
			name:    "no route",
			prepare: func(_ *link, n *bgp.Neighbor) { n.Address = netip.MustParseAddr("198.51.100.200") },
			want:    "no route to the router's network",
		},
		{
			name:    "no such host",
			prepare: func(l *link, n *bgp.Neighbor) { n.Address = l.v4(99) },
			want:    "no answer to ARP or neighbor discovery",
		},
		{
			name:    "no such host, IPv6",
			prepare: func(l *link, n *bgp.Neighbor) { n.Address = l.v6(99) },
			want:    "no answer to ARP or neighbor discovery",
		},
		{
			name:    "foreign source address",
			prepare: func(_ *link, n *bgp.Neighbor) { n.Source = netip.MustParseAddr("198.51.100.200") },
			want:    "the source address is not one of this node",
		},
		{
			name:    "no such VRF",
			prepare: func(_ *link, n *bgp.Neighbor) { n.VRF = "red" },
			want:    "no such interface on this node",
		},
		{
			name:     "wrong password",
			prepare:  func(_ *link, n *bgp.Neighbor) { n.Password = "mine" },
			password: "theirs", router: func(net.Conn) {},
			want: "no answer: not there; filtered; TCP MD5: another password",
		},
		{
			name:     "password is missing",
			password: "theirs", router: func(net.Conn) {},
			want: "no answer: not there; filtered; it wants a password",
		},
		{
			name:   "closes at once",
			router: func(net.Conn) {}, hangUp: true,
			want: "the router closed the connection without a NOTIFICATION",
		},
		{
			name:   "not BGP",
			router: func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte("220 mail\r\n"), 3)) },
			want:   "this is not BGP", told: []byte{1, 1},
		},
		{
			name:   "wrong ASN",
			router: func(c net.Conn) { o := theirs(); o.asn = 65000; _, _ = c.Write(o.marshal()) },
			want:   "wrong ASN: the router has 65000, peerASN is 64513", told: []byte{2, 2},
		},
		{
			name:    "not internal",
			prepare: func(_ *link, n *bgp.Neighbor) { n.PeerASN, n.Dynamic = 0, config.DynamicInternal },
			router:  func(c net.Conn) { say(c, theirs()) },
			want:    "wrong ASN: the router has 64513, this node 64512, and dynamicASN internal wants them equal", told: []byte{2, 2},
		},
		{
			name:    "not external",
			prepare: func(_ *link, n *bgp.Neighbor) { n.PeerASN, n.Dynamic = 0, config.DynamicExternal },
			router:  func(c net.Conn) { o := theirs(); o.asn = 64512; say(c, o) },
			want:    "wrong ASN: both have 64512, and dynamicASN external wants another one", told: []byte{2, 2},
		},
		{
			name: "no unicast",
			router: func(c net.Conn) {
				b := theirs().marshal()[headerLength:][:9:9]
				_, _ = c.Write(message(typeOpen, appendCapabilities(b, []capability{{capMultiprotocol, []byte{0, 25, 0, 70}}})...))
			},
			want: "the router has neither IPv4 nor IPv6 unicast", told: []byte{2, 7},
		},
		{
			name:    "IPv4 alone, without extended next hop",
			prepare: func(_ *link, n *bgp.Neighbor) { n.ExtendedNextHop = true },
			router:  func(c net.Conn) { o := theirs(); o.ipv6 = false; say(c, o) },
			want:    "the router has IPv4 unicast alone, and takes no IPv6 next hops for it (RFC 8950)", told: []byte{2, 7, 5, 6, 0, 1, 0, 1, 0, 2},
		},
		{
			name:   "rejects our ASN",
			router: func(c net.Conn) { _, _ = c.Write(append(theirs().marshal(), notification(2, 2)...)) },
			want:   "the router says: code 2 (OPEN message error) subcode 2 (bad peer AS)",
		},
		{
			name:   "rejects a capability",
			router: func(c net.Conn) { _, _ = c.Write(notification(2, 7, 64, 0)) },
			want:   "the router says: code 2 (OPEN message error) subcode 7 (unsupported capability), capability 64",
		},
		{
			name: "shut down",
			router: func(c net.Conn) {
				say(c, theirs())
				_, _ = c.Write(notification(6, 2, append([]byte{11}, "maintenance"...)...))
			},
			want: `the router says: code 6 (cease) subcode 2 (administrative shutdown): "maintenance"`,
		},
		{
			name:    "silent",
			prepare: func(_ *link, n *bgp.Neighbor) { n.HoldTime, n.KeepaliveTime = 3*time.Second, time.Second },
			router:  func(c net.Conn) { say(c, theirs()) },
			want:    "hold timer expired: nothing heard from the router for 3s", told: []byte{4, 0},
		},
		{
			name:   "same router id",
			router: func(c net.Conn) { o := theirs(); o.asn, o.id = 64512, netip.MustParseAddr("192.0.2.1"); say(c, o) },
			prepare: func(_ *link, n *bgp.Neighbor) {
				n.PeerASN, n.RouterID = 64512, netip.MustParseAddr("192.0.2.1")
			},
			want: "this end says: code 2 (OPEN message error) subcode 3 (bad BGP identifier)", told: []byte{2, 3},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLink(t)
			n := l.neighbor()
			if tt.prepare != nil {
				tt.prepare(l, &n)
			}
			var mu sync.Mutex
			var told []byte
			if tt.router != nil {
				newFake(t, l, tt.password, func(c net.Conn) {
					tt.router(c)
					if tt.hangUp {
						return
					}
					b := listen(c, newReader(c))
					mu.Lock()
					defer mu.Unlock()
					told = append(told, b...)
				})
			}
			_, e := openSession(t, n)
			wait(t, tt.want, func() bool { return e.has(tt.want) })
			if tt.told != nil {
				wait(t, "the router is told", func() bool {
					mu.Lock()
					defer mu.Unlock()
					return bytes.HasPrefix(told, tt.told)
				})
			}
		})
	}
}

// has reports whether a reason was told.
func (e *events) has(text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if strings.Contains(ev.Reason, text) {
			return true
		}
	}
	return false
}
