package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IPAddressPool is a set of IP addresses that Services of type LoadBalancer
// get theirs from. Pools must not overlap: of two that do, the older is in
// force and the other is not accepted.
//
// An address that a Service holds stays when pools change, until no pool has
// had it for 30 seconds.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=ipap,categories=herald
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`,description="Whether the pool is in force"
// +kubebuilder:printcolumn:name="Auto-Assign",type=boolean,JSONPath=`.spec.autoAssign`,description="Whether Services get addresses of the pool without asking for it"
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.spec.addresses`,description="The ranges of the pool"
// +kubebuilder:printcolumn:name="IPv4-Assigned",type=string,JSONPath=`.status.ipv4.assigned`,description="IPv4 addresses that Services hold"
// +kubebuilder:printcolumn:name="IPv4-Available",type=string,JSONPath=`.status.ipv4.available`,description="IPv4 addresses that Services can get"
// +kubebuilder:printcolumn:name="IPv6-Assigned",type=string,JSONPath=`.status.ipv6.assigned`,description="IPv6 addresses that Services hold"
// +kubebuilder:printcolumn:name="IPv6-Available",type=string,JSONPath=`.status.ipv6.available`,priority=1,description="IPv6 addresses that Services can get"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].message`,priority=1,description="What is wrong with the pool"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IPAddressPool struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the pool gives out, and to whom.
	// +required
	Spec IPAddressPoolSpec `json:"spec"`

	// Whether the pool is in force, and how full it is. Written by Herald.
	// +optional
	Status IPAddressPoolStatus `json:"status,omitempty"`
}

// IPAddressPoolSpec is what the operator wants of a pool.
type IPAddressPoolSpec struct {
	// Addresses of the pool, each a CIDR (192.168.10.0/24, fc00:f853::/64) or
	// an inclusive range (192.168.10.50-192.168.10.99). Both families may be in
	// one pool. Ranges must not overlap, within the pool or with another pool.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=100
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self) || (self.split('-').size() == 2 && self.split('-').all(a, isIP(a.trim())))",message="must be a CIDR such as 10.0.0.0/24, or a range such as 10.0.0.10-10.0.0.20"
	// +kubebuilder:validation:items:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="must not have host bits set: write the network's own address, such as 10.0.0.0/24"
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self) || self.split('-').size() != 2 || !self.split('-').all(a, isIP(a.trim())) || ip(self.split('-')[0].trim()).family() == ip(self.split('-')[1].trim()).family()",message="must have both ends in one address family"
	Addresses []string `json:"addresses"`

	// Addresses that are never given out although a range above has them, each
	// a CIDR, an inclusive range, or a single address. Use it for routers and
	// hosts that live inside the range.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=100
	// +kubebuilder:validation:items:XValidation:rule="isIP(self) || isCIDR(self) || (self.split('-').size() == 2 && self.split('-').all(a, isIP(a.trim())))",message="must be an address, a CIDR such as 10.0.0.0/24, or a range such as 10.0.0.10-10.0.0.20"
	// +kubebuilder:validation:items:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="must not have host bits set: write the network's own address, such as 10.0.0.0/24"
	// +kubebuilder:validation:items:XValidation:rule="self.split('-').size() != 2 || !self.split('-').all(a, isIP(a.trim())) || ip(self.split('-')[0].trim()).family() == ip(self.split('-')[1].trim()).family()",message="must have both ends in one address family"
	Exclude []string `json:"exclude,omitempty"`

	// Whether a Service that asks for no pool may get an address of this one.
	// With false, only Services that name the pool or an address of it do.
	// +optional
	// +kubebuilder:default=true
	AutoAssign *bool `json:"autoAssign,omitempty"`

	// Leave out IPv4 addresses that end in .0 or .255, which some old network
	// equipment mistakes for network and broadcast addresses.
	// +optional
	AvoidBuggyIPs bool `json:"avoidBuggyIPs,omitempty"`

	// How long a released address rests before another Service gets it without
	// asking for it, such as 30s or 10m. Clients and caches that still know the
	// old Service then do not meet the new one. 0s, the default, is not at all;
	// 720h is the most.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || self == '0'",message="must be a duration such as 30s, 10m or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$') || duration(self) <= duration('720h')",message="must be at most 720h"
	Cooldown *metav1.Duration `json:"cooldown,omitempty"`

	// For which Services the pool may be used, and in which order pools are
	// tried. Left out, every Service may use it.
	// +optional
	ServiceAllocation *ServiceAllocation `json:"serviceAllocation,omitempty"`
}

// ServiceAllocation ties a pool to Services. A Service must match each of the
// three lists that is not empty; within a list one match is enough.
type ServiceAllocation struct {
	// Pools with a lower priority are tried first. 0, the default, comes after
	// all others. Of pools of equal priority those that are tied to Services by
	// the lists below come first, then the order is that of their names.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Priority int32 `json:"priority,omitempty"`

	// Names of namespaces whose Services may use the pool.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces,omitempty"`

	// Selectors of namespaces, by their labels, whose Services may use the pool.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	NamespaceSelectors []LabelSelector `json:"namespaceSelectors,omitempty"`

	// Selectors of Services, by their labels, that may use the pool.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ServiceSelectors []LabelSelector `json:"serviceSelectors,omitempty"`
}

// IPAddressPoolStatus is what became of a pool.
type IPAddressPoolStatus struct {
	AcceptedStatus `json:",inline"`

	// The pool's IPv4 addresses; absent when it has none.
	// +optional
	IPv4 *AddressCounts `json:"ipv4,omitempty"`

	// The pool's IPv6 addresses; absent when it has none.
	// +optional
	IPv6 *AddressCounts `json:"ipv6,omitempty"`
}

// IPAddressPoolList is a list of IPAddressPools.
//
// +kubebuilder:object:root=true
type IPAddressPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []IPAddressPool `json:"items"`
}
