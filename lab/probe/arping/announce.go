package arping

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// override is the flag of a neighbor advertisement that replaces what others
// know (RFC 4861 4.4).
const override = 0x20

// allNodes is the group of all IPv6 hosts of a link.
var allNodes = netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x01})

// Announce claims an address once on an interface of this network namespace,
// under the interface's own link-layer address, as a host does that was just
// given the address (RFC 5227 2.3, RFC 4861 7.2.6).
func Announce(name string, target netip.Addr) error {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	target = target.Unmap().WithZone("")
	sock, err := listen(link, target)
	if err != nil {
		return fmt.Errorf("announce on %s: %w", name, err)
	}
	defer sock.close()
	return sock.send(announcement(link.HardwareAddr, target))
}

// announcement returns the frame by which the station with a link-layer address
// claims target.
func announcement(mac net.HardwareAddr, target netip.Addr) []byte {
	if target.Is4() {
		return arpRequest(Identity{MAC: mac, IP: target}, target, nil)
	}
	icmp := []byte{neighborNA, 0, 0, 0, override, 0, 0, 0}
	icmp = append(icmp, target.AsSlice()...)
	icmp = append(icmp, optTarget, 1)
	icmp = append(icmp, mac...)
	binary.BigEndian.PutUint16(icmp[2:], checksum(target, allNodes, icmp))

	return ipv6(ethernet(multicastMAC(allNodes), mac, etherIPv6), target, allNodes, icmp)
}
