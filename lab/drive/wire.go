package drive

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/heraldlb/herald/lab/probe"
	"github.com/heraldlb/herald/lab/probe/arping"
)

// Every is how often an address is probed or asked for, and so how exactly an
// outage is known.
const Every = 10 * time.Millisecond

// probeTimeout bounds one connection.
const probeTimeout = time.Second

// URL returns what to ask for at addr.
func URL(addr netip.Addr) string {
	return "http://" + netip.AddrPortFrom(addr, 80).String() + "/"
}

// Probe starts to connect to addr from the client, 100 times a second.
func (l *Lab) Probe(addr netip.Addr, d time.Duration) (*Running[probe.Report], error) {
	return l.ProbeFrom("client", addr, Every, d)
}

// ProbeFrom is Probe from another host, with so much time between the connections.
func (l *Lab) ProbeFrom(host string, addr netip.Addr, every, d time.Duration) (*Running[probe.Report], error) {
	return Begin[probe.Report](l, "probe", "--from", host, "--url", URL(addr),
		"--every", every.String(), "--for", d.String(), "--timeout", probeTimeout.String())
}

// Reach connects to addr from the client a few times, and returns an error
// unless all of it is answered.
func (l *Lab) Reach(ctx context.Context, addr netip.Addr) error {
	return l.ReachFrom(ctx, "client", addr)
}

// ReachFrom is Reach from another host.
func (l *Lab) ReachFrom(ctx context.Context, host string, addr netip.Addr) error {
	out, err := l.Output(ctx, "probe", "--json", "--from", host, "--url", URL(addr),
		"--every", "20ms", "--for", "100ms", "--timeout", "500ms")
	if err != nil {
		return err
	}
	var r probe.Report
	if err := json.Unmarshal(out, &r); err != nil {
		return fmt.Errorf("lab probe: %w", err)
	}
	if r.Failures > 0 {
		return fmt.Errorf("%s: want no failure", r.Text())
	}
	return nil
}

// Ask starts to ask, by ARP or neighbor solicitations, for addr on a link of
// the client's, with so much time between the questions.
func (l *Lab) Ask(addr netip.Addr, link string, every, d time.Duration) (*Running[arping.Report], error) {
	return Begin[arping.Report](l, "arping", "--from", "client", "--ip", addr.String(), "--interface", link,
		"--every", every.String(), "--for", d.String())
}

// Responders asks once on a link, all hosts together and each node alone, and
// returns the hosts that answer for addr. A station that is no host of the lab
// is told by its link-layer address.
func (l *Lab) Responders(ctx context.Context, addr netip.Addr, link string) ([]string, error) {
	var hosts []string
	for _, each := range []string{"false", "true"} {
		out, err := l.Output(ctx, "arping", "--json", "--from", "client", "--ip", addr.String(), "--interface", link, "--each="+each)
		if err != nil {
			return nil, err
		}
		var r arping.Report
		if err := json.Unmarshal(out, &r); err != nil {
			return nil, fmt.Errorf("lab arping: %w", err)
		}
		for _, p := range r.Responders {
			name := p.Host
			if name == "" {
				name = p.MAC
			}
			if p.Answers > 0 && !slices.Contains(hosts, name) {
				hosts = append(hosts, name)
			}
		}
	}
	return hosts, nil
}

// Outage returns the longest time without a good answer, the beginning and the
// end of the run included.
func Outage(r *probe.Report) time.Duration {
	longest := max(r.LongestGapMs, r.SilentAtEndMs)
	if r.FirstGoodMs != nil {
		longest = max(longest, *r.FirstGoodMs)
	}
	return time.Duration(longest * float64(time.Millisecond))
}

// Breaks returns the failed probes of a run, those together that one move of
// the address can have cut: connections that were reset and were all under way
// at one instant. Whatever failed in another way is a break of its own.
func Breaks(r *probe.Report) [][]probe.Answer {
	var (
		breaks [][]probe.Answer
		ends   float64 // the first end in the last break
	)
	for _, a := range r.Answers {
		if a.Reason == "" {
			continue
		}
		end := a.AtMs + a.TookMs
		if n := len(breaks) - 1; n >= 0 && a.AtMs <= ends && a.Reason == probe.Reset && breaks[n][0].Reason == probe.Reset {
			breaks[n], ends = append(breaks[n], a), min(ends, end)
			continue
		}
		breaks, ends = append(breaks, []probe.Answer{a}), end
	}
	return breaks
}

// Overlap returns how long two or more hosts answered.
func Overlap(r *arping.Report) time.Duration {
	return time.Duration(r.OverlapMs * float64(time.Millisecond))
}

// Moves returns how often the host that answers changed. Rounds that two
// answered count for the one that is new.
func Moves(r *arping.Report) int {
	n, last := 0, ""
	for _, a := range r.Answers {
		if a.Kind != arping.Solicited || a.MAC == last {
			continue
		}
		if last != "" {
			n++
		}
		last = a.MAC
	}
	return n
}
