package config_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
)

func bufferedReader(data []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(data)) }

// add decodes one object of a kind into the list where it belongs.
func add(o *config.Objects, kind string, doc []byte) error {
	switch kind {
	case v1beta1.KindIPAddressPool:
		return into(&o.Pools, doc)
	case v1beta1.KindL2Advertisement:
		return into(&o.L2Advertisements, doc)
	case v1beta1.KindBGPAdvertisement:
		return into(&o.BGPAdvertisements, doc)
	case v1beta1.KindBGPPeer:
		return into(&o.Peers, doc)
	case v1beta1.KindBFDProfile:
		return into(&o.BFDProfiles, doc)
	case v1beta1.KindCommunity:
		return into(&o.Communities, doc)
	case v1beta1.KindSpeakerStatus:
		return into(new([]v1beta1.SpeakerStatus), doc)
	default:
		return fmt.Errorf("kind %q: not known", kind)
	}
}

func into[O any](list *[]O, doc []byte) error {
	var o O
	if err := yaml.UnmarshalStrict(doc, &o); err != nil {
		return err
	}
	*list = append(*list, o)
	return nil
}

// objects decodes documents, whose kinds stand before them.
func objects(t testing.TB, docs ...string) config.Objects {
	t.Helper()
	var o config.Objects
	for _, doc := range docs {
		var head struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			t.Fatal(err)
		}
		if err := add(&o, head.Kind, []byte(doc)); err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
	}
	return o
}

// diffConfig compares what two Configs say.
func diffConfig(a, b *config.Config) string {
	return cmp.Diff(a, b,
		cmpopts.IgnoreUnexported(config.Config{}),
		cmpopts.EquateComparable(netip.Addr{}),
		cmp.Comparer(func(a, b labels.Selector) bool { return a.String() == b.String() }))
}
