package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/heraldlb/herald/lab/drive"
)

// A speakerStatus is what of a SpeakerStatus the tests read.
type speakerStatus struct {
	Status struct {
		Summary struct {
			Sessions    int `json:"bgpSessions"`
			Established int `json:"bgpEstablished"`
		} `json:"summary"`
		Sessions []struct {
			Peer         string `json:"peer"`
			State        string `json:"state"`
			LastError    string `json:"lastError"`
			PrefixesSent int    `json:"prefixesSent"`
		} `json:"bgpSessions"`
		BFD []struct {
			State         string `json:"state"`
			DetectionTime int    `json:"detectionTime"`
		} `json:"bfdSessions"`
	} `json:"status"`
}

// speaking returns what a node's speaker tells of itself.
func (c *cluster) speaking(ctx context.Context, node string) (*speakerStatus, error) {
	obj, err := c.objects.Resource(herald("speakerstatuses")).Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var s speakerStatus
	return &s, runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &s)
}

// telling waits until the status of a peer on a node has a state and its error
// every one of words.
func (c *cluster) telling(t *testing.T, node, peer, state string, words ...string) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("%s tells of %s", node, peer), func(ctx context.Context) error {
		s, err := c.speaking(ctx, node)
		if err != nil {
			return err
		}
		for _, b := range s.Status.Sessions {
			if b.Peer != peer {
				continue
			}
			if (state == drive.Established) != (b.State == drive.Established) || !containsAll(b.LastError, words) {
				return errNot(fmt.Sprintf("%+v", b), fmt.Sprint(state, words))
			}
			if state != drive.Established {
				t.Logf("%s: %s", peer, b.LastError)
			}
			return nil
		}
		return errNot(s.Status.Sessions, peer)
	})
}

// A session that cannot be says why, in words, and the others are as they were;
// what is up is shown with what it sends and how BFD watches.
func testDiagnosis(t *testing.T, c *cluster) {
	c.apply(t, fastBFD+secret("wrong", "wrong"))
	c.peering(t, peer{router: frr1, name: "good", more: "bfdProfile: fast"})
	c.bfdUp(t, frr1, len(c.nodes))
	c.advertise(t, "a", "")
	c.routedService(t, service{name: "told"}, 1)
	c.exactly(t, frr1, "the good peer", paths(c.nodes, "path 64512", host(1)...))
	one := []string{"node1"}
	bad := []struct {
		peer  peer
		words []string
	}{
		{peer{router: bird1, name: "wrong-asn", asn: 64999, on: one}, []string{"wrong ASN", "64513", "64999"}},
		{peer{router: bird1, name: "refused", v6: true, more: "peerPort: 1790", on: one}, []string{"refused"}},
		{peer{router: frr1, name: "wrong-password", v6: true, more: "passwordSecret: wrong", on: one}, []string{"timed out", "password"}},
		{peer{name: "nobody", address: drive.At(c.segments[0], 99).String(), on: one}, []string{"no answer to ARP"}},
		{peer{name: "no-route", address: "2001:db8:ffff::1", on: one}, []string{""}},
		{peer{name: "no-interface", address: "none", more: "interface: eth7", on: one}, []string{"eth7"}},
	}
	manifest := ""
	for _, b := range bad {
		manifest += b.peer.manifest(c.peerAddress(t, b.peer))
	}
	c.apply(t, manifest)
	for _, b := range bad {
		c.telling(t, "node1", b.peer.key(), "", b.words...)
	}
	c.telling(t, "node1", "good", drive.Established)
	c.shown(t, "node1", 1+len(bad))
	c.established(t, peer{router: frr1})
}

// shown waits until a node's status counts its sessions, of which one is up, with
// two prefixes, and watched by BFD with what was agreed upon.
func (c *cluster) shown(t *testing.T, node string, sessions int) {
	t.Helper()
	eventually(t, patience, "status of "+node, func(ctx context.Context) error {
		s, err := c.speaking(ctx, node)
		if err != nil {
			return err
		}
		st := s.Status
		if st.Summary.Sessions != sessions || st.Summary.Established != 1 {
			return errNot(fmt.Sprintf("%+v", st.Summary), fmt.Sprint("1 of ", sessions))
		}
		for _, b := range st.Sessions {
			if b.State == drive.Established && b.PrefixesSent != 2 {
				return errNot(fmt.Sprintf("%+v", b), "2 prefixes")
			}
		}
		if len(st.BFD) != 1 || st.BFD[0].State != "Up" || st.BFD[0].DetectionTime != 150 {
			return errNot(fmt.Sprintf("%+v", st.BFD), "one that is Up with 150 ms")
		}
		return nil
	})
	columns := c.kubectl(t, "get", "speakerstatus", node)
	if !strings.Contains(columns, "BGP-UP") {
		t.Errorf("columns: %s", columns)
	}
}
