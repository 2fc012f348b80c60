package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DynamicASN says which ASNs a peer may have.
//
// +kubebuilder:validation:Enum=internal;external
type DynamicASN string

// The ASNs that a peer may have when none is given.
const (
	// DynamicInternal accepts a peer of the same ASN (iBGP).
	DynamicInternal DynamicASN = "internal"
	// DynamicExternal accepts a peer of any other ASN (eBGP).
	DynamicExternal DynamicASN = "external"
)

// BGPPeer is a router that the selected nodes hold a BGP session with. What is
// announced to it is said by BGPAdvertisements.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=bgpp,categories=herald
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the peer is in force; whether its sessions are up is in speakerstatuses"
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.peerAddress`,description="Address of the router"
// +kubebuilder:printcolumn:name="Interface",type=string,JSONPath=`.spec.interface`,description="Interface of an unnumbered session"
// +kubebuilder:printcolumn:name="Peer-ASN",type=integer,JSONPath=`.spec.peerASN`
// +kubebuilder:printcolumn:name="My-ASN",type=integer,JSONPath=`.spec.myASN`
// +kubebuilder:printcolumn:name="BFD",type=string,JSONPath=`.spec.bfdProfile`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].message`,priority=1,description="What is wrong with the peer"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BGPPeer struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Who the router is, and how to talk to it.
	// +required
	Spec BGPPeerSpec `json:"spec"`

	// Whether the peer is in force. Written by Herald.
	// +optional
	Status AcceptedStatus `json:"status,omitempty"`
}

// BGPPeerSpec is what the operator wants of sessions with a router.
//
// +kubebuilder:validation:XValidation:rule="has(self.peerASN) != has(self.dynamicASN)",message="exactly one of peerASN and dynamicASN must be given"
// +kubebuilder:validation:XValidation:rule="has(self.peerAddress) != has(self.interface)",message="exactly one of peerAddress and interface must be given"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || has(self.peerAddress)",message="sourceAddress needs peerAddress: an unnumbered session uses the interface's own address"
// +kubebuilder:validation:XValidation:rule="!has(self.sourceAddress) || !has(self.peerAddress) || !isIP(self.sourceAddress) || !isIP(self.peerAddress) || ip(self.sourceAddress).family() == ip(self.peerAddress).family()",message="sourceAddress and peerAddress must be of one address family"
// +kubebuilder:validation:XValidation:rule="!(has(self.ebgpMultiHop) && self.ebgpMultiHop && has(self.ttlSecurity) && self.ttlSecurity)",message="ebgpMultiHop and ttlSecurity exclude each other: ttlSecurity is for a router one hop away"
// +kubebuilder:validation:XValidation:rule="!(has(self.ebgpMultiHop) && self.ebgpMultiHop && has(self.interface))",message="ebgpMultiHop needs peerAddress: an unnumbered session is one hop"
// +kubebuilder:validation:XValidation:rule="!has(self.keepaliveTime) || !self.keepaliveTime.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || (has(self.holdTime) && !self.holdTime.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$')) || duration(self.keepaliveTime) + duration(self.keepaliveTime) + duration(self.keepaliveTime) <= duration(has(self.holdTime) ? self.holdTime : '90s')",message="keepaliveTime must be at most a third of holdTime, which is 90s by default"
type BGPPeerSpec struct {
	// ASN of this side, 1 to 4294967295. 64512 to 65534 and 4200000000 to
	// 4294967294 are for private use.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	MyASN int64 `json:"myASN"`

	// ASN of the router. Equal to myASN, the session is iBGP. Either this or
	// dynamicASN must be given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	PeerASN int64 `json:"peerASN,omitempty"`

	// Take the router's ASN as it comes: "internal" accepts one equal to myASN,
	// "external" any other. Either this or peerASN must be given.
	// +optional
	DynamicASN DynamicASN `json:"dynamicASN,omitempty"`

	// Address of the router, IPv4 or IPv6. For a link-local IPv6 address, give
	// interface instead. Only one BGPPeer that selects a node may have it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="must be an IPv4 or IPv6 address"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || !(ip(self).isUnspecified() || ip(self).isLinkLocalMulticast() || (ip(self).family() == 6 && ip(self).isLinkLocalUnicast()))",message="must be the address of one router; for a link-local IPv6 address give interface instead"
	PeerAddress string `json:"peerAddress,omitempty"`

	// Name of the network interface to the router, for an unnumbered session:
	// the router's link-local address is learned from its router
	// advertisements. Either this or peerAddress must be given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[^\s/:]+$`
	Interface string `json:"interface,omitempty"`

	// TCP port of the router, 179 by default.
	// +optional
	// +kubebuilder:default=179
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	PeerPort int32 `json:"peerPort,omitempty"`

	// Address of the node that the session comes from, of the same family as
	// peerAddress. By default the node's routing table chooses. As nodes have
	// different addresses, use it with a nodeSelector.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="must be an IPv4 or IPv6 address"
	SourceAddress string `json:"sourceAddress,omitempty"`

	// BGP identifier of this side, written as an IPv4 address. By default it is
	// an IPv4 address of the node, or made from its name when it has none. Two
	// nodes must not have the same.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && !ip(self).isUnspecified()",message="must be an IPv4 address other than 0.0.0.0"
	RouterID string `json:"routerID,omitempty"`

	// How long the session lives without a message from the router, in whole
	// seconds: 0s for ever, or 3s to 65535s. The smaller of both sides' values
	// is used. 90s by default. To find a dead router in less, use bfdProfile.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && (duration(self) == duration('0s') || (duration(self) >= duration('3s') && duration(self) <= duration('65535s')))",message="must be 0s, or a duration from 3s to 65535s such as 90s"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || duration(self).getMilliseconds() % 1000 == 0",message="must be whole seconds"
	HoldTime *metav1.Duration `json:"holdTime,omitempty"`

	// How often the router is told that this side is alive, in whole seconds
	// and at most a third of holdTime, which is the default.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) <= duration('21845s')",message="must be a duration up to 21845s such as 30s"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || duration(self).getMilliseconds() % 1000 == 0",message="must be whole seconds"
	KeepaliveTime *metav1.Duration `json:"keepaliveTime,omitempty"`

	// How long after an attempt that did not reach the router the next one comes,
	// in whole seconds from 1s to 65535s. 5s by default. In the first minute
	// after the session was opened or lost, attempts come once a second.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('65535s')",message="must be a duration from 1s to 65535s such as 5s"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || duration(self).getMilliseconds() % 1000 == 0",message="must be whole seconds"
	ConnectTime *metav1.Duration `json:"connectTime,omitempty"`

	// Selectors of nodes, by their labels, that hold a session; one match is
	// enough. None matches every node.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	NodeSelectors []LabelSelector `json:"nodeSelectors,omitempty"`

	// Name of a Secret in the namespace herald-system whose key "password" is
	// the TCP MD5 password (RFC 2385) of the session. By default there is none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PasswordSecret string `json:"passwordSecret,omitempty"`

	// Whether the router of another ASN may be more than one hop away.
	// +optional
	EBGPMultiHop bool `json:"ebgpMultiHop,omitempty"`

	// Accept only packets that come from one hop away, and send such that the
	// router can do the same (GTSM, RFC 5082). The router must be told too.
	// +optional
	TTLSecurity bool `json:"ttlSecurity,omitempty"`

	// Name of the BFDProfile that watches the router; when BFD says that it is
	// gone, the session is closed at once. By default there is no BFD.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	BFDProfile string `json:"bfdProfile,omitempty"`

	// Name of the VRF device that the router is reached through. By default it
	// is the node's main routing table.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[^\s/:]+$`
	VRF string `json:"vrf,omitempty"`

	// Ask the router to keep the routes for a while when the session goes away
	// (graceful restart, RFC 4724), so that restarting a speaker on a healthy
	// node loses nothing.
	// +optional
	GracefulRestart bool `json:"gracefulRestart,omitempty"`
}

// BGPPeerList is a list of BGPPeers.
//
// +kubebuilder:object:root=true
type BGPPeerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BGPPeer `json:"items"`
}
