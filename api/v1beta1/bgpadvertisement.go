package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BGPAdvertisement makes addresses of pools reachable through routers: every
// selected node announces them to the BGPPeers named, with these attributes.
//
// Several advertisements may cover one address. Those that agree on the
// attributes of a prefix for a peer are as one.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=bgpadv,categories=herald
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the advertisement is in force"
// +kubebuilder:printcolumn:name="Pools",type=string,JSONPath=`.spec.ipAddressPools`,description="Pools that it names; none and no selector is all"
// +kubebuilder:printcolumn:name="Peers",type=string,JSONPath=`.spec.peers`,description="Peers that it is limited to; none is all"
// +kubebuilder:printcolumn:name="Pool-Selectors",type=string,JSONPath=`.spec.ipAddressPoolSelectors`,priority=1
// +kubebuilder:printcolumn:name="Node-Selectors",type=string,JSONPath=`.spec.nodeSelectors`,priority=1
// +kubebuilder:printcolumn:name="Communities",type=string,JSONPath=`.spec.communities`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].message`,priority=1,description="What is wrong with the advertisement"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPAdvertisement struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What is announced, by which nodes, to which peers, and how. An empty spec
	// announces every address from every node to every peer as a host route.
	// +optional
	Spec BGPAdvertisementSpec `json:"spec,omitempty"`

	// Whether the advertisement is in force. Written by Herald.
	// +optional
	Status AcceptedStatus `json:"status,omitempty"`
}

// BGPAdvertisementSpec is what the operator wants to be announced by BGP.
type BGPAdvertisementSpec struct {
	// Names of the IPAddressPools that are announced, beside those that the
	// selectors match. With neither names nor selectors, every pool is. A name
	// without a pool has no effect until the pool is there.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	IPAddressPools []string `json:"ipAddressPools,omitempty"`

	// Selectors of IPAddressPools, by their labels; one match is enough.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	IPAddressPoolSelectors []LabelSelector `json:"ipAddressPoolSelectors,omitempty"`

	// Selectors of Services, by their labels, that are announced; one match is
	// enough. None matches every Service.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ServiceSelectors []LabelSelector `json:"serviceSelectors,omitempty"`

	// Selectors of nodes, by their labels, that announce; one match is enough.
	// None matches every node.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	NodeSelectors []LabelSelector `json:"nodeSelectors,omitempty"`

	// Names of the BGPPeers that the addresses are announced to. None is every
	// peer. A name without a peer has no effect until the peer is there.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Peers []string `json:"peers,omitempty"`

	// Length of the prefixes that IPv4 addresses are announced as, 1 to 32.
	// 32, the default, is a route for each address; with 24, a route for the
	// /24 around it. A pool that does not have the whole of such a prefix is
	// not announced, because its neighbours' traffic would come too.
	// +optional
	// +kubebuilder:default=32
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	AggregationLength int32 `json:"aggregationLength,omitempty"`

	// Length of the prefixes that IPv6 addresses are announced as, 1 to 128.
	// 128 is the default.
	// +optional
	// +kubebuilder:default=128
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	AggregationLengthV6 int32 `json:"aggregationLengthV6,omitempty"`

	// LOCAL_PREF of the routes: the highest is preferred. It is sent only to
	// peers of the same ASN (iBGP).
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	LocalPref *int64 `json:"localPref,omitempty"`

	// MULTI_EXIT_DISC of the routes: the lowest is preferred. Not sent when
	// left out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	MED *int64 `json:"med,omitempty"`

	// How often the own ASN is put before the AS path beyond the once that BGP
	// asks for, 0 to 16. Longer paths are less preferred. It does nothing for
	// peers of the same ASN.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=16
	ASPathPrepend int32 `json:"asPathPrepend,omitempty"`

	// BGP communities of the routes: standard (65000:100), large
	// (64512:1:2, or large:64512:1:2), or a name that a Community object has.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^((large:)?[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}|[0-9]{1,5}:[0-9]{1,5}|[a-zA-Z]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)$`
	// +kubebuilder:validation:items:XValidation:rule="self.split(':').size() != 2 || self.split(':').all(n, !n.matches('^[0-9]{1,10}$') || int(n) <= 65535)",message="must be two numbers up to 65535, or three up to 4294967295"
	// +kubebuilder:validation:items:XValidation:rule="self.split(':').size() < 3 || self.split(':').all(n, !n.matches('^[0-9]{1,10}$') || int(n) <= 4294967295)",message="must be two numbers up to 65535, or three up to 4294967295"
	Communities []string `json:"communities,omitempty"`
}

// BGPAdvertisementList is a list of BGPAdvertisements.
//
// +kubebuilder:object:root=true
type BGPAdvertisementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BGPAdvertisement `json:"items"`
}
