package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/heraldlb/herald/lab/drive"
)

// stranger is a host of the lab that is no node.
const stranger = "client2"

// conflictTime bounds how long a conflict stays unseen.
const conflictTime = 15 * time.Second

// An address that another station has already is not answered for, and the
// station is told of; as soon as it is gone, the address is announced.
func testTaken(t *testing.T, c *cluster) {
	const number = 148
	mac := c.mac(t, stranger)
	gone := c.squats(t, number)
	s := service{name: "occupied", annotations: wish(c.segments, number)}
	addrs := c.serveAll(t, s)
	c.conflicts(t, s, addrs, mac)
	for _, addr := range addrs {
		hosts, err := c.responders(t.Context(), addr)
		if err != nil || !slices.Equal(hosts, []string{stranger}) {
			t.Errorf("%s: answered by %v (%v), want only %s, which has it", addr, hosts, err, stranger)
		}
	}
	gone()
	c.settled(t, addrs)
	c.answers(t, addrs...)
}

// A station that claims an address of ours later is told of, with its
// link-layer address, and does not get it.
func testClaimed(t *testing.T, c *cluster) {
	const number = 149
	mac := c.mac(t, stranger)
	s := service{name: "claimed", annotations: wish(c.segments, number)}
	addrs := c.serveAll(t, s)
	c.answers(t, addrs...)
	before := c.holders(t, addrs)
	// A claim right after a takeover is taken for the end of it.
	<-time.After(4 * time.Second)
	for _, addr := range addrs {
		c.lab(t, "announce", stranger, addr.String())
	}
	c.conflicts(t, s, addrs, mac)
	c.stays(t, addrs, before, time.Second)
	c.answers(t, addrs...)
}

// squats gives the stranger an address of each family, and returns what takes
// them away again.
func (c *cluster) squats(t *testing.T, number int) (gone func()) {
	t.Helper()
	change := func(ctx context.Context, verb string) error {
		for _, p := range c.segments {
			addr := netip.PrefixFrom(drive.At(p, number), p.Addr().BitLen()).String()
			args := []string{"exec", stranger, "--", "ip", "addr", verb, addr, "dev", "eth0"}
			if p.Addr().Is6() && verb == "add" {
				args = append(args, "nodad")
			}
			if _, err := c.Output(ctx, args[0], args[1:]...); err != nil {
				return err
			}
		}
		return nil
	}
	if err := change(t.Context(), "add"); err != nil {
		t.Fatal(err)
	}
	left := false
	gone = func() {
		if left {
			return
		}
		left = true
		if err := change(context.Background(), "del"); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(gone)
	return gone
}

// mac returns the link-layer address of a host.
func (c *cluster) mac(t *testing.T, host string) string {
	t.Helper()
	var links []struct{ Address string }
	out := c.lab(t, "exec", host, "--", "ip", "-j", "link", "show", "dev", "eth0")
	if err := json.Unmarshal([]byte(out), &links); err != nil || len(links) != 1 {
		t.Fatalf("link of %s: %v: %s", host, err, out)
	}
	return links[0].Address
}

// conflicts waits until the conflict about each address of s is shown in the
// status of a speaker and told by an event, both with the station's address.
func (c *cluster) conflicts(t *testing.T, s service, addrs []netip.Addr, mac string) {
	t.Helper()
	for _, addr := range addrs {
		took := eventually(t, conflictTime, fmt.Sprintf("conflict with %s about %s in a status", mac, addr), func(ctx context.Context) error {
			seen, err := c.seenConflicts(ctx)
			if err == nil && !slices.Contains(seen, addr.String()+" "+mac) {
				err = errNot(seen, addr.String()+" "+mac)
			}
			return err
		})
		t.Logf("conflict about %s shown after %v", addr, took.Round(time.Millisecond))
		eventually(t, conflictTime, "event about it", func(ctx context.Context) error {
			events, err := c.kube.EventsV1().Events(s.space()).List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			for _, e := range events.Items {
				if e.Regarding.Name == s.name && e.Type == "Warning" && containsAll(e.Note, []string{addr.String(), mac}) {
					return nil
				}
			}
			return errNot("no event", "one on "+s.name+" with "+mac)
		})
	}
}

// seenConflicts returns the conflicts that speakers show, as ADDRESS MAC.
func (c *cluster) seenConflicts(ctx context.Context) ([]string, error) {
	list, err := c.objects.Resource(herald("speakerstatuses")).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range list.Items {
		conflicts, _, err := unstructured.NestedSlice(list.Items[i].Object, "status", "conflicts")
		if err != nil {
			return nil, err
		}
		for _, raw := range conflicts {
			fields, _ := raw.(map[string]any)
			out = append(out, strings.TrimSpace(fmt.Sprint(fields["address"], " ", fields["mac"])))
		}
	}
	return out, nil
}
