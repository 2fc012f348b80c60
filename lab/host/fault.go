package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/heraldlb/herald/lab/state"
)

// Cut takes the switch's end of a host's link down: the host loses its carrier
// and everyone else loses the host.
func Cut(ctx context.Context, s *state.Store, host string) error {
	return setLink(ctx, s, host, true)
}

// Heal brings the link of host up again.
func Heal(ctx context.Context, s *state.Store, host string) error {
	return setLink(ctx, s, host, false)
}

func setLink(ctx context.Context, s *state.Store, host string, cut bool) error {
	l := s.Lab()
	h, err := l.Host(host)
	if err != nil {
		return err
	}
	word := "up"
	if cut {
		word = "down"
	}
	if err := run(ctx, "ip", "-n", l.Netns(switchName), "link", "set", host, word); err != nil {
		return err
	}
	h.Cut = cut
	return s.Update(func(l *state.Lab) error { l.SetHost(h); return nil })
}

// Partition splits the segment: the hosts of each side reach each other and
// nobody else. Hosts that no side names are with the first.
func Partition(ctx context.Context, s *state.Store, sides [][]string) error {
	l := s.Lab()
	want, err := assignSides(l, sides)
	if err != nil {
		return err
	}
	ns := l.Netns(switchName)
	var lines []string
	for side := 1; side < len(sides); side++ {
		if err := run(ctx, "ip", "-n", ns, "link", "show", bridge(side)); err != nil {
			lines = append(lines, bridgeLines(bridge(side))...)
		}
	}
	for _, h := range l.Hosts {
		if side := want[h.Name]; side != h.Side {
			lines = append(lines, fmt.Sprintf("link set %s master %s", h.Name, bridge(side)))
		}
	}
	if err := batch(ctx, ns, lines); err != nil {
		return err
	}
	return s.Update(func(l *state.Lab) error {
		for i := range l.Hosts {
			l.Hosts[i].Side = want[l.Hosts[i].Name]
		}
		return nil
	})
}

// assignSides returns the side of each host that sides names.
func assignSides(l *state.Lab, sides [][]string) (map[string]int, error) {
	want := map[string]int{}
	var errs []error
	for i, side := range sides {
		for _, name := range side {
			if _, err := l.Host(name); err != nil {
				errs = append(errs, err)
			}
			if _, twice := want[name]; twice {
				errs = append(errs, fmt.Errorf("host %q: named on two sides", name))
			}
			want[name] = i
		}
	}
	return want, errors.Join(errs...)
}

// Reunite ends a partition and brings every cut link up.
func Reunite(ctx context.Context, s *state.Store) error {
	l := s.Lab()
	if err := Partition(ctx, s, [][]string{{}}); err != nil {
		return err
	}
	cut := slices.DeleteFunc(slices.Clone(l.Hosts), func(h state.Host) bool { return !h.Cut })
	for _, h := range cut {
		if err := Heal(ctx, s, h.Name); err != nil {
			return err
		}
	}
	return nil
}
