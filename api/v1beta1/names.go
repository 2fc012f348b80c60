package v1beta1

// Names that Herald and its users share.
const (
	// Namespace is where Herald runs, and the only one it reads Secrets from.
	Namespace = "herald-system"
	// ClassHerald is the spec.loadBalancerClass that Herald handles beside the
	// unset one.
	ClassHerald = "heraldlb.io/herald"
	// ConditionAccepted is the type of the condition by which an object is
	// told whether it is in force.
	ConditionAccepted = "Accepted"
	// ServiceAddressAssigned is the type of the condition by which a Service
	// is told whether it has the addresses that it asks for.
	ServiceAddressAssigned = "heraldlb.io/AddressAssigned"
)

// Annotations of a Service by which its owner asks for something.
const (
	// AnnotationAddresses asks for these addresses, separated by commas: one,
	// or one of each family.
	AnnotationAddresses = "heraldlb.io/addresses"
	// AnnotationAddressPool asks for addresses of this IPAddressPool.
	AnnotationAddressPool = "heraldlb.io/address-pool"
	// AnnotationAllowSharedIP is a key; Services with the same key may share
	// an address when no port and protocol collide.
	AnnotationAllowSharedIP = "heraldlb.io/allow-shared-ip"
)

// The names of the kinds, as they stand in verdicts.
const (
	KindIPAddressPool    = "IPAddressPool"
	KindL2Advertisement  = "L2Advertisement"
	KindBGPAdvertisement = "BGPAdvertisement"
	KindBGPPeer          = "BGPPeer"
	KindBFDProfile       = "BFDProfile"
	KindCommunity        = "Community"
	KindSpeakerStatus    = "SpeakerStatus"
)

// Defaults of fields that are left out. The schemas state the same ones.
const (
	DefaultPeerPort         = 179
	DefaultBFDInterval      = 300 // milliseconds, receive and transmit
	DefaultDetectMultiplier = 3
	DefaultMinimumTTL       = 254
)
