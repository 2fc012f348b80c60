package kube

import (
	"net/http"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"

	"github.com/heraldlb/herald/api/v1beta1"
)

// Mapper returns what discovery would tell about the kinds of Scheme. Both
// binaries know their kinds, so neither asks: they start, and wait, with no
// API server in reach.
func Mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	core, discovery, herald := corev1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion, v1beta1.GroupVersion
	for _, kind := range []string{"Service", "Secret"} {
		m.Add(core.WithKind(kind), meta.RESTScopeNamespace)
	}
	m.Add(discovery.WithKind("EndpointSlice"), meta.RESTScopeNamespace)
	m.Add(eventsv1.SchemeGroupVersion.WithKind("Event"), meta.RESTScopeNamespace)
	for _, kind := range []string{"Node", "Namespace"} {
		m.Add(core.WithKind(kind), meta.RESTScopeRoot)
	}
	for _, kind := range []string{
		v1beta1.KindIPAddressPool, v1beta1.KindL2Advertisement, v1beta1.KindBGPAdvertisement,
		v1beta1.KindBGPPeer, v1beta1.KindBFDProfile, v1beta1.KindCommunity, v1beta1.KindSpeakerStatus,
	} {
		m.Add(herald.WithKind(kind), meta.RESTScopeRoot)
	}
	return m
}

// provideMapper is Mapper in the form that a manager asks for.
func provideMapper(*rest.Config, *http.Client) (meta.RESTMapper, error) { return Mapper(), nil }
