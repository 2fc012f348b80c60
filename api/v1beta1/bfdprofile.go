package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BFDProfile is a set of timers for Bidirectional Forwarding Detection (RFC
// 5880), by which a BGPPeer's death is known in a fraction of a second.
//
// The peer is held for dead after detectMultiplier intervals without a packet:
// with the defaults after 900 ms.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=bfdp,categories=herald
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the profile is in force"
// +kubebuilder:printcolumn:name="Receive",type=integer,JSONPath=`.spec.receiveInterval`,description="Milliseconds"
// +kubebuilder:printcolumn:name="Transmit",type=integer,JSONPath=`.spec.transmitInterval`,description="Milliseconds"
// +kubebuilder:printcolumn:name="Multiplier",type=integer,JSONPath=`.spec.detectMultiplier`
// +kubebuilder:printcolumn:name="Passive",type=boolean,JSONPath=`.spec.passiveMode`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BFDProfile struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// The timers. An empty spec has good defaults.
	// +optional
	// +kubebuilder:default={}
	Spec BFDProfileSpec `json:"spec,omitempty"`

	// Whether the profile is in force. Written by Herald.
	// +optional
	Status AcceptedStatus `json:"status,omitempty"`
}

// BFDProfileSpec is what the operator wants of BFD sessions.
type BFDProfileSpec struct {
	// Shortest time between two packets that this side can receive, in
	// milliseconds, 10 to 60000. The peer sends no faster.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	ReceiveInterval int32 `json:"receiveInterval,omitempty"`

	// Shortest time between two packets that this side sends, in milliseconds,
	// 10 to 60000. It is slower when the peer asks for it.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	TransmitInterval int32 `json:"transmitInterval,omitempty"`

	// How many intervals without a packet the other side waits before it holds
	// this one for dead, 2 to 255.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=255
	DetectMultiplier int32 `json:"detectMultiplier,omitempty"`

	// Wait for the peer's first packet before sending any. One side must not be
	// passive.
	// +optional
	PassiveMode bool `json:"passiveMode,omitempty"`

	// Lowest TTL that a packet may arrive with over several hops (RFC 5883), 1
	// to 254; it has 255 less the hops. 254, the default, is one router between.
	// A peer one hop away must always be received with 255 (RFC 5881).
	// +optional
	// +kubebuilder:default=254
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=254
	MinimumTTL int32 `json:"minimumTTL,omitempty"`
}

// BFDProfileList is a list of BFDProfiles.
//
// +kubebuilder:object:root=true
type BFDProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BFDProfile `json:"items"`
}
