package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
)

// The groups of all nodes and all routers of a link (RFC 4291 section 2.7.1).
var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
)

const (
	// beat is the time between two solicitations (RFC 4861 section 10:
	// RTR_SOLICITATION_INTERVAL), and more than that between two advertisements
	// (MIN_DELAY_BETWEEN_RAS).
	beat = 4 * time.Second
	// eager is for how many beats we say something at each.
	eager = 3
	// advertEvery and solicitEvery are the beats between messages after that.
	// Solicitations go on until a router is heard (RFC 7559).
	advertEvery, solicitEvery = 3, 15
	// reopen is how long to wait before a socket is tried again.
	reopen = time.Second
	// quiet is the least time between two adverts that are passed on.
	quiet = 100 * time.Millisecond
)

func (host) seek(ctx context.Context, name string, wake <-chan struct{}, heard func(advert)) {
	for {
		converse(ctx, name, wake, heard)
		timer := time.NewTimer(reopen)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// converse speaks neighbor discovery on an interface until ctx ends, or the
// interface cannot be used: then it is to be tried again.
func converse(ctx context.Context, name string, wake <-chan struct{}, heard func(advert)) {
	c, self, err := listen(name)
	if err != nil {
		return // not there, down, or its address not usable yet
	}
	v := &voice{conn: c, self: self}
	solicited, found, ended := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		_ = receive(c, func(a advert) {
			token(found)
			a.from = a.from.WithZone(name)
			heard(a)
		}, func() { token(solicited) })
	}()
	defer func() {
		_ = c.Close()
		<-ended
	}()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	v.begin()
	for v.speak() == nil {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-wake:
			v.begin()
		case <-found:
			v.found = true
		case <-solicited:
			v.asked = true
		case <-ticker.C:
			v.tick = true
		}
	}
}

// listen opens a socket for router advertisements and solicitations.
func listen(name string) (*ndp.Conn, *net.Interface, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, nil, fmt.Errorf("interface %s: %w", name, err)
	}
	// Package net finds the index of a zone's name in a list that may be a minute
	// old, and the interface may have been replaced. So its name is its index here.
	numbered := *ifi
	numbered.Name = strconv.Itoa(ifi.Index)
	c, _, err := ndp.Listen(&numbered, ndp.LinkLocal)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on interface %s: %w", name, err)
	}
	var f ipv6.ICMPFilter
	f.SetAll(true)
	f.Accept(ipv6.ICMPTypeRouterAdvertisement)
	f.Accept(ipv6.ICMPTypeRouterSolicitation)
	err = errors.Join(
		c.SetICMPFilter(&f), c.SetControlMessage(ipv6.FlagHopLimit, true), c.JoinGroup(allNodes), c.JoinGroup(allRouters),
	)
	if err != nil {
		_ = c.Close()
		return nil, nil, fmt.Errorf("listen on interface %s: %w", name, err)
	}
	return c, ifi, nil
}

// receive reads until the socket is closed or fails. The zone of what is heard is
// that of the socket. A message that a router has forwarded counts for nothing
// (RFC 4861 sections 6.1.1 and 6.1.2).
func receive(c *ndp.Conn, heard func(advert), solicited func()) error {
	var last time.Time
	for {
		m, control, from, err := c.ReadFrom()
		if err != nil {
			return err
		}
		if control == nil || control.HopLimit != ndp.HopLimit {
			continue
		}
		switch m := m.(type) {
		case *ndp.RouterAdvertisement:
			if now := time.Now(); from.IsLinkLocalUnicast() && now.Sub(last) >= quiet {
				last = now
				heard(advert{from: from, gateway: m.RouterLifetime > 0})
			}
		case *ndp.RouterSolicitation:
			solicited()
		}
	}
}

// A voice says what is to be said on a link, and when.
type voice struct {
	conn *ndp.Conn
	self *net.Interface

	beats int  // since begin
	tick  bool // a beat is due
	asked bool // a router has solicited an advertisement
	found bool // a router was heard
	told  time.Time
}

// begin starts over, as on a link that is new.
func (v *voice) begin() { v.beats, v.tick, v.found = 0, true, false }

// speak sends what is due.
func (v *voice) speak() error {
	var errs []error
	if v.tick && (v.beats < eager || v.beats%advertEvery == 0) || v.asked {
		// Who asks too early hears it with the next beat.
		if now := time.Now(); v.told.IsZero() || now.Sub(v.told) > beat*3/4 || v.beats == 0 && v.tick {
			errs = append(errs, v.conn.WriteTo(v.advertisement(), nil, allNodes))
			v.told, v.asked = now, false
		}
	}
	if v.tick && !v.found && (v.beats < eager || v.beats%solicitEvery == 0) {
		errs = append(errs, v.conn.WriteTo(&ndp.RouterSolicitation{Options: v.source()}, nil, allRouters))
	}
	if v.tick {
		v.tick = false
		v.beats++
	}
	return errors.Join(errs...)
}

// advertisement tells that there is a router which is nobody's default router:
// hosts take nothing from it (RFC 4861 section 4.2).
func (v *voice) advertisement() *ndp.RouterAdvertisement {
	return &ndp.RouterAdvertisement{Options: v.source()}
}

// source is our address on the link.
func (v *voice) source() []ndp.Option {
	if len(v.self.HardwareAddr) != 6 {
		return nil
	}
	return []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: v.self.HardwareAddr}}
}
