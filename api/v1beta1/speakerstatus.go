package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SpeakerStatus is what the speaker of one node is doing: the addresses that
// it answers for, its BGP and BFD sessions, and the speakers that it sees. Its
// name is the node's. It is written by Herald and read by people and tools;
// nothing decides by it, and deleting it does no harm.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=speakerstatuses,singular=speakerstatus,shortName=spk,categories=herald
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.summary.members`,description="Speakers that it sees alive, itself included"
// +kubebuilder:printcolumn:name="L2-Addresses",type=integer,JSONPath=`.status.summary.layer2Addresses`,description="Addresses that it answers ARP or NDP for"
// +kubebuilder:printcolumn:name="BGP-Up",type=integer,JSONPath=`.status.summary.bgpEstablished`,description="BGP sessions that are established"
// +kubebuilder:printcolumn:name="BGP-Sessions",type=integer,JSONPath=`.status.summary.bgpSessions`,description="BGP sessions that there should be"
// +kubebuilder:printcolumn:name="Conflicts",type=integer,JSONPath=`.status.summary.conflicts`,description="Addresses that another station claims too"
// +kubebuilder:printcolumn:name="Config",type=string,JSONPath=`.status.configGeneration`,priority=1,description="Fingerprint of the configuration in force"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SpeakerStatus struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the speaker is doing.
	// +optional
	Status SpeakerStatusStatus `json:"status,omitempty"`
}

// SpeakerStatusStatus is what a speaker tells of itself.
type SpeakerStatusStatus struct {
	// Name of the node.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node,omitempty"`

	// Fingerprint of the configuration in force. Speakers that have the same
	// configuration show the same one.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ConfigGeneration string `json:"configGeneration,omitempty"`

	// Counts of what stands below.
	// +optional
	Summary SpeakerSummary `json:"summary,omitempty"`

	// Names of the nodes whose speakers it sees alive, itself included.
	// +optional
	// +listType=atomic
	Members []string `json:"members,omitempty"`

	// Addresses that it answers ARP or NDP for.
	// +optional
	// +listType=atomic
	Layer2 []Layer2Status `json:"layer2,omitempty"`

	// Addresses of its own that another station was seen to claim.
	// +optional
	// +listType=atomic
	Conflicts []AddressConflict `json:"conflicts,omitempty"`

	// BGP sessions that it should have, up or not.
	// +optional
	// +listType=atomic
	BGPSessions []BGPSessionStatus `json:"bgpSessions,omitempty"`

	// BFD sessions that it should have, up or not.
	// +optional
	// +listType=atomic
	BFDSessions []BFDSessionStatus `json:"bfdSessions,omitempty"`

	// BGPAdvertisements that are not in force for a prefix and a peer, because
	// another one asks for other attributes. At most 100 of them.
	// +optional
	// +listType=atomic
	BGPRefusals []BGPRefusal `json:"bgpRefusals,omitempty"`
}

// SpeakerSummary counts what a speaker is doing, for the columns of kubectl.
type SpeakerSummary struct {
	// Speakers that it sees alive, itself included.
	Members int32 `json:"members"`
	// Addresses that it answers ARP or NDP for.
	Layer2Addresses int32 `json:"layer2Addresses"`
	// Addresses of its own that another station claims too.
	Conflicts int32 `json:"conflicts"`
	// BGP sessions that it should have.
	BGPSessions int32 `json:"bgpSessions"`
	// BGP sessions that are established.
	BGPEstablished int32 `json:"bgpEstablished"`
	// Prefixes, by peer and BGPAdvertisement, that are refused because another
	// one asks for other attributes.
	// +optional
	BGPRefusals int32 `json:"bgpRefusals,omitempty"`
}

// Layer2Status is an address that a speaker answers ARP or NDP for.
type Layer2Status struct {
	// The address.
	Address string `json:"address"`
	// Names of the interfaces that it is answered on.
	// +optional
	// +listType=atomic
	Interfaces []string `json:"interfaces,omitempty"`
	// Services that hold the address, as namespace/name.
	// +optional
	// +listType=atomic
	Services []string `json:"services,omitempty"`
	// Since when this speaker answers for it.
	// +optional
	Since metav1.Time `json:"since,omitempty,omitzero"`
	// Why it is this node that answers for it: Placed (nobody did before),
	// TookOver (the node that did was gone), Appointed (the node that did gave
	// it away), Kept (it did when its speaker started again), Asserted (it never
	// ceased to, and a node that was cut off thought it had).
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Cause string `json:"cause,omitempty"`
}

// AddressConflict is an address that another station claims too.
type AddressConflict struct {
	// The address.
	Address string `json:"address"`
	// Ethernet address of the other station.
	// +optional
	MAC string `json:"mac,omitempty"`
	// Name of the interface that it was seen on.
	// +optional
	Interface string `json:"interface,omitempty"`
	// When it was last seen.
	// +optional
	LastSeen metav1.Time `json:"lastSeen,omitempty,omitzero"`
}

// BGPSessionStatus is a BGP session of a speaker.
type BGPSessionStatus struct {
	// Name of the BGPPeer.
	Peer string `json:"peer"`
	// Address of the router; absent while that of an unnumbered one is unknown.
	// +optional
	Address string `json:"address,omitempty"`
	// State of the session (RFC 4271), such as Established or Active.
	State string `json:"state"`
	// Since when the session is in that state.
	// +optional
	Since metav1.Time `json:"since,omitempty,omitzero"`
	// Why the session last went down or could not be made.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	LastError string `json:"lastError,omitempty"`
	// Prefixes that are announced to the router now.
	PrefixesSent int32 `json:"prefixesSent"`
}

// BFDSessionStatus is a BFD session of a speaker.
type BFDSessionStatus struct {
	// Name of the BGPPeer that it watches.
	Peer string `json:"peer"`
	// Name of the BFDProfile.
	Profile string `json:"profile"`
	// Address of the router.
	// +optional
	Address string `json:"address,omitempty"`
	// State of the session (RFC 5880): AdminDown, Down, Init or Up.
	State string `json:"state"`
	// Since when the session is in that state.
	// +optional
	Since metav1.Time `json:"since,omitempty,omitzero"`
	// Diagnostic of the last change of state, such as "control detection time
	// expired".
	// +optional
	Diagnostic string `json:"diagnostic,omitempty"`
	// Time without a packet after which the router is held for dead, as agreed
	// with it, in milliseconds.
	// +optional
	DetectionTime int32 `json:"detectionTime,omitempty"`
	// Time between two packets to the router, as agreed with it, in milliseconds.
	// +optional
	TransmitInterval int32 `json:"transmitInterval,omitempty"`
	// Time between two packets from the router, as agreed with it, in
	// milliseconds.
	// +optional
	ReceiveInterval int32 `json:"receiveInterval,omitempty"`
}

// BGPRefusal is a BGPAdvertisement that is not in force for a prefix and a peer.
type BGPRefusal struct {
	// Prefix that both ask for.
	Prefix string `json:"prefix"`
	// Name of the BGPPeer.
	Peer string `json:"peer"`
	// Name of the BGPAdvertisement that is refused.
	Advertisement string `json:"advertisement"`
	// Name of the one that is in force.
	InForce string `json:"inForce"`
}

// SpeakerStatusList is a list of SpeakerStatuses.
//
// +kubebuilder:object:root=true
type SpeakerStatusList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []SpeakerStatus `json:"items"`
}
