package desired_test

import (
	"testing"

	"github.com/heraldlb/herald/speaker/desired"
)

// Every reason has a word of its own, and nothing else has one.
func TestReasonString(t *testing.T) {
	seen := map[string]desired.Reason{}
	for r := desired.NoPool; r <= desired.NotElected; r++ {
		word := r.String()
		if word == "unset" || seen[word] != 0 {
			t.Errorf("reason %d is %q, as is %d", r, word, seen[word])
		}
		seen[word] = r
	}
	for _, r := range []desired.Reason{0, -1, desired.NotElected + 1} {
		if r.String() != "unset" {
			t.Errorf("reason %d is %q, want unset", r, r)
		}
	}
}

func TestProtocolString(t *testing.T) {
	for p, want := range map[desired.Protocol]string{
		0: "unset", desired.ProtocolLayer2: "layer2", desired.ProtocolBGP: "bgp", 3: "unset",
	} {
		if p.String() != want {
			t.Errorf("protocol %d is %q, want %q", p, p, want)
		}
	}
}
