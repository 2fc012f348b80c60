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

// A why is reasons why pools do not serve: the first ones, and how many there
// are. It is made for thousands of Services beside a thousand pools.
type why struct {
	told []string
	n    int
}

// add adds a reason, which is written only if it is one of the first.
func (w *why) add(format string, args ...any) {
	if w.n++; w.n <= maxTold {
		w.told = append(w.told, fmt.Sprintf(format, args...))
	}
}

// String joins the reasons.
func (w *why) String() string {
	text := strings.Join(w.told, "; ")
	if w.n > maxTold {
		text += fmt.Sprintf("; and %d more", w.n-maxTold)
	}
	return text
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
