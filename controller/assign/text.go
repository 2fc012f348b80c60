package assign

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/heraldlb/herald/ipam"
)

// familyList names families.
func familyList(fs []ipam.Family) string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.String()
	}
	return strings.Join(names, ", ")
}

// list writes addresses for people.
func list(addrs []netip.Addr) string {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// maxTold bounds how many pools a message tells of.
const maxTold = 8

// sentence joins reasons, the first ones when there are many.
func sentence(why []string) string {
	if len(why) > maxTold {
		why = append(why[:maxTold:maxTold], fmt.Sprintf("and %d more", len(why)-maxTold))
	}
	return strings.Join(why, "; ")
}

// describe says where addresses come from.
func (b *book) describe(e *entry, addrs []netip.Addr) string {
	words := make([]string, len(addrs))
	for i, a := range addrs {
		home := b.alloc.PoolOf(a)
		if home == "" {
			home = e.homes[a]
		}
		words[i] = a.String()
		if home != "" {
			words[i] += fmt.Sprintf(" from pool %q", home)
		}
	}
	return strings.Join(words, ", ")
}
