package kube

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/heraldlb/herald/api/v1beta1"
)

// Names that controller and speaker agree on.
const (
	// MemberlistSecret is the Secret that the speakers' gossip key is made
	// from, and MemberlistKey the key in it.
	MemberlistSecret = "herald-memberlist"
	MemberlistKey    = "secretkey"
	// SpeakerService is the headless Service by which speakers are found.
	SpeakerService = "herald-speaker"
	// PasswordKey is the key of a BGPPeer's password in its Secret.
	PasswordKey = "password"
)

// Scheme returns a new scheme with the kinds that the binaries read and write.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(s))
	utilruntime.Must(discoveryv1.AddToScheme(s))
	utilruntime.Must(eventsv1.AddToScheme(s))
	utilruntime.Must(v1beta1.AddToScheme(s))
	return s
}
