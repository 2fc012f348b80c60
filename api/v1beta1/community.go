package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Community gives names to BGP communities, for use in BGPAdvertisements.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=bgpcomm,categories=herald
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the names can be used"
// +kubebuilder:printcolumn:name="Names",type=string,JSONPath=`.spec.communities[*].name`,description="Names that it defines"
// +kubebuilder:printcolumn:name="Values",type=string,JSONPath=`.spec.communities[*].value`,description="Values of those names"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Community struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// The names and what they stand for.
	// +required
	Spec CommunitySpec `json:"spec"`

	// Whether the names can be used. Written by Herald.
	// +optional
	Status AcceptedStatus `json:"status,omitempty"`
}

// CommunitySpec is a list of names.
type CommunitySpec struct {
	// Names and their communities. A name may be in several Community objects
	// only with the same value.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Communities []CommunityAlias `json:"communities"`
}

// CommunityAlias is a name for a BGP community.
type CommunityAlias struct {
	// Name to use in a BGPAdvertisement. It begins with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-zA-Z]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$`
	Name string `json:"name"`

	// The community: standard, two numbers of 16 bits (65535:65281, RFC 1997),
	// or large, three numbers of 32 bits (64512:1:2, RFC 8092).
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^((large:)?[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}|[0-9]{1,5}:[0-9]{1,5})$`
	// +kubebuilder:validation:XValidation:rule="self.split(':').size() != 2 || self.split(':').all(n, !n.matches('^[0-9]{1,10}$') || int(n) <= 65535)",message="must be two numbers up to 65535, or three up to 4294967295"
	// +kubebuilder:validation:XValidation:rule="self.split(':').size() < 3 || self.split(':').all(n, !n.matches('^[0-9]{1,10}$') || int(n) <= 4294967295)",message="must be two numbers up to 65535, or three up to 4294967295"
	Value string `json:"value"`
}

// CommunityList is a list of Communities.
//
// +kubebuilder:object:root=true
type CommunityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Community `json:"items"`
}
