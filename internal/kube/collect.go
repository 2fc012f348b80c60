package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
)

// ConfigKinds returns an empty object of every kind that Collect lists, for
// watches and caches.
func ConfigKinds() []client.Object {
	return []client.Object{
		&v1beta1.IPAddressPool{}, &v1beta1.L2Advertisement{}, &v1beta1.BGPAdvertisement{},
		&v1beta1.BGPPeer{}, &v1beta1.BFDProfile{}, &v1beta1.Community{}, &corev1.Secret{},
	}
}

// Collect lists everything that config.Parse judges: Herald's objects, and the
// passwords in the Secrets of namespace. It fails as a whole, so that nothing
// is judged by half of it.
func Collect(ctx context.Context, r client.Reader, namespace string) (config.Objects, error) {
	var (
		pools       v1beta1.IPAddressPoolList
		l2s         v1beta1.L2AdvertisementList
		bgps        v1beta1.BGPAdvertisementList
		peers       v1beta1.BGPPeerList
		profiles    v1beta1.BFDProfileList
		communities v1beta1.CommunityList
		secrets     corev1.SecretList
	)
	for _, l := range []struct {
		what string
		list client.ObjectList
		opts []client.ListOption
	}{
		{"IPAddressPools", &pools, nil},
		{"L2Advertisements", &l2s, nil},
		{"BGPAdvertisements", &bgps, nil},
		{"BGPPeers", &peers, nil},
		{"BFDProfiles", &profiles, nil},
		{"Communities", &communities, nil},
		{"Secrets", &secrets, []client.ListOption{client.InNamespace(namespace)}},
	} {
		if err := r.List(ctx, l.list, l.opts...); err != nil {
			return config.Objects{}, fmt.Errorf("list %s: %w", l.what, err)
		}
	}
	return config.Objects{
		Pools: pools.Items, L2Advertisements: l2s.Items, BGPAdvertisements: bgps.Items,
		Peers: peers.Items, BFDProfiles: profiles.Items, Communities: communities.Items,
		Passwords: passwords(secrets.Items),
	}, nil
}

// passwords returns the passwords by the names of their Secrets.
func passwords(secrets []corev1.Secret) map[string]string {
	out := map[string]string{}
	for i := range secrets {
		if p, ok := secrets[i].Data[PasswordKey]; ok {
			out[secrets[i].Name] = string(p)
		}
	}
	return out
}
