package desired_test

import (
	"testing"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
	"github.com/heraldlb/herald/speaker/desired"
)

// bgpInput returns an Input as bigInput does, announced to two peers by BGP and
// not in layer 2: each address by itself, or all together.
func bgpInput(tb testing.TB, services int, ads ...v1beta1.BGPAdvertisement) desired.Input {
	tb.Helper()
	in := bigInput(tb, services, 3)
	in.Config = mustParse(tb, config.Objects{
		Pools:             []v1beta1.IPAddressPool{newPool("web", "10.0.0.0/16")},
		BGPAdvertisements: ads,
		Peers:             []v1beta1.BGPPeer{parsePeer(tb, "tor-a", []string{"10.9.0.1"}), parsePeer(tb, "tor-b", []string{"10.9.0.2"})},
	})
	return in
}

// kinds runs a benchmark for the ways to announce 10,000 Services.
func kinds(b *testing.B, bench func(b *testing.B, in desired.Input)) {
	each, all := parseBGP(b, "each", nil), parseBGP(b, "all", []string{"length=16", "med=1"})
	front := parseBGP(b, "front", []string{"length=16", "services=tier=front"})
	for _, k := range []struct {
		name string
		ads  []v1beta1.BGPAdvertisement
	}{
		{"none", nil},
		{"each", []v1beta1.BGPAdvertisement{each}},
		{"each+aggregate", []v1beta1.BGPAdvertisement{each, all}},
		{"each+conflict", []v1beta1.BGPAdvertisement{each, all, front}},
	} {
		b.Run(k.name, func(b *testing.B) {
			in := bgpInput(b, 10000, k.ads...)
			b.ReportAllocs()
			bench(b, in)
		})
	}
}

// A speaker starts.
func BenchmarkBGPFull(b *testing.B) {
	kinds(b, func(b *testing.B, in desired.Input) {
		for b.Loop() {
			desired.Compute(in)
		}
	})
}

// A speaker starts, and has not heard of the others yet.
func BenchmarkBGPEarly(b *testing.B) {
	kinds(b, func(b *testing.B, in desired.Input) {
		for b.Loop() {
			desired.ComputeBGP(in)
		}
	})
}

// One Service's endpoints change. Compare with "none" for what BGP costs.
func BenchmarkBGPOneChange(b *testing.B) {
	kinds(b, func(b *testing.B, in desired.Input) { oneChange(b, in, func([]*desired.Service) {}) })
}
