package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// L2Advertisement makes addresses of pools reachable in the local network: one
// of the selected nodes answers ARP (IPv4) and NDP (IPv6) for each address,
// and another takes over when that node dies.
//
// Several advertisements may cover one Service; a node announces when any of
// them lets it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=l2adv,categories=herald
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the advertisement is in force"
// +kubebuilder:printcolumn:name="Pools",type=string,JSONPath=`.spec.ipAddressPools`,description="Pools that it names; none and no selector is all"
// +kubebuilder:printcolumn:name="Interfaces",type=string,JSONPath=`.spec.interfaces`,description="Interfaces that it is limited to; none is all"
// +kubebuilder:printcolumn:name="Pool-Selectors",type=string,JSONPath=`.spec.ipAddressPoolSelectors`,priority=1
// +kubebuilder:printcolumn:name="Node-Selectors",type=string,JSONPath=`.spec.nodeSelectors`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].message`,priority=1,description="What is wrong with the advertisement"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type L2Advertisement struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What is announced, and by which nodes. An empty spec announces every
	// pool from every node on every interface.
	// +optional
	Spec L2AdvertisementSpec `json:"spec,omitempty"`

	// Whether the advertisement is in force. Written by Herald.
	// +optional
	Status AcceptedStatus `json:"status,omitempty"`
}

// L2AdvertisementSpec is what the operator wants to be announced in layer 2.
type L2AdvertisementSpec struct {
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

	// Selectors of nodes, by their labels, that may announce; one match is
	// enough. None matches every node.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	NodeSelectors []LabelSelector `json:"nodeSelectors,omitempty"`

	// Nodes that announce rather than others while they can. A node's weight is
	// the sum of those whose selector matches it; the highest goes first, and
	// equal ones are spread. They count when an address is given to a node, and
	// when they are edited; an address moves to a better node that comes back
	// only with failback.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	PreferredNodes []PreferredNode `json:"preferredNodes,omitempty"`

	// Names of network interfaces to announce on, with * and ? and [a-z] as in
	// file names (eth0, bond*). None is every interface of the node.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[^\s/]+$`
	Interfaces []string `json:"interfaces,omitempty"`

	// Gives every address a home, the node that goes first for it, and moves it
	// there whenever that node is there. Without, an address stays where it is
	// as long as its node can announce it. Of several advertisements that cover
	// an address one with failback is enough.
	// +optional
	Failback bool `json:"failback,omitempty"`
}

// PreferredNode gives nodes a weight.
type PreferredNode struct {
	// Weight of the nodes that the selector matches, 1 to 100.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight"`

	// Selector of nodes by their labels.
	// +required
	Selector LabelSelector `json:"selector"`
}

// L2AdvertisementList is a list of L2Advertisements.
//
// +kubebuilder:object:root=true
type L2AdvertisementList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []L2Advertisement `json:"items"`
}
