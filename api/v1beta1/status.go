package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AcceptedStatus is the status of a kind that is only judged.
type AcceptedStatus struct {
	// Accepted says whether the object is in force. When it is not, reason and
	// message name the field, the value and the rule. A message beside an
	// accepted object names a part of it that has no effect for now.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// AddressCounts counts the addresses of a pool of one family. The numbers are
// decimal strings because those of an IPv6 pool do not fit an integer: a /64
// has 18446744073709551616 addresses.
type AddressCounts struct {
	// Addresses that the pool can give out, exclusions taken off.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:MaxLength=39
	Total string `json:"total"`

	// Addresses that Services hold; one that several share counts once.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:MaxLength=39
	Assigned string `json:"assigned"`

	// Addresses that a Service could get now: neither held nor resting.
	// +required
	// +kubebuilder:validation:Pattern=`^[0-9]+$`
	// +kubebuilder:validation:MaxLength=39
	Available string `json:"available"`
}

// StatusConditions returns where the conditions are kept, for those who write
// the status of any kind.
func (o *IPAddressPool) StatusConditions() *[]metav1.Condition { return &o.Status.Conditions }

// StatusConditions is as that of IPAddressPool.
func (o *L2Advertisement) StatusConditions() *[]metav1.Condition { return &o.Status.Conditions }

// StatusConditions is as that of IPAddressPool.
func (o *BGPAdvertisement) StatusConditions() *[]metav1.Condition { return &o.Status.Conditions }

// StatusConditions is as that of IPAddressPool.
func (o *BGPPeer) StatusConditions() *[]metav1.Condition { return &o.Status.Conditions }

// StatusConditions is as that of IPAddressPool.
func (o *BFDProfile) StatusConditions() *[]metav1.Condition { return &o.Status.Conditions }

// StatusConditions is as that of IPAddressPool.
func (o *Community) StatusConditions() *[]metav1.Condition { return &o.Status.Conditions }
