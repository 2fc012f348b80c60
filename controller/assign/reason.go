package assign

// Reason says in a word what became of a Service's wish for addresses; zero
// means not set. The same word stands in the condition, the log and metrics.
type Reason int

// The reasons. With the first two the condition is True.
const (
	// Assigned: the Service has every address that it asks for.
	Assigned Reason = iota + 1
	// PartlyAssigned: a PreferDualStack Service has one family and gets the
	// other as soon as a pool can serve it.
	PartlyAssigned
	// InvalidAnnotation: an annotation cannot be read, or contradicts another
	// one or the Service's spec.
	InvalidAnnotation
	// InvalidLoadBalancerIP: spec.loadBalancerIP cannot be used.
	InvalidLoadBalancerIP
	// UnknownPool: the pool asked for does not exist or is not accepted.
	UnknownPool
	// PoolNotAllowed: the pool's serviceAllocation excludes the Service.
	PoolNotAllowed
	// NoMatchingPool: no accepted pool is for the Service.
	NoMatchingPool
	// FamilyUnavailable: pools are for the Service, but none has addresses of
	// a family that it needs.
	FamilyUnavailable
	// PoolExhausted: every pool that is for the Service is full.
	PoolExhausted
	// AddressNotInPool: no accepted pool, or not the one asked for, has the
	// address.
	AddressNotInPool
	// AddressInUse: another Service holds the address, and sharing rules keep
	// this one from sharing it.
	AddressInUse
	// BeingDeleted: the Service is being deleted. It keeps what it has until it
	// is gone, and gets nothing more.
	BeingDeleted
)

// reasons lists all of them, for metrics.
var reasons = []Reason{
	Assigned, PartlyAssigned, InvalidAnnotation, InvalidLoadBalancerIP, UnknownPool, PoolNotAllowed,
	NoMatchingPool, FamilyUnavailable, PoolExhausted, AddressNotInPool, AddressInUse, BeingDeleted,
}

// String returns the reason as it stands in conditions.
func (r Reason) String() string {
	switch r {
	case Assigned:
		return "Assigned"
	case PartlyAssigned:
		return "PartlyAssigned"
	case InvalidAnnotation:
		return "InvalidAnnotation"
	case InvalidLoadBalancerIP:
		return "InvalidLoadBalancerIP"
	case UnknownPool:
		return "UnknownPool"
	case PoolNotAllowed:
		return "PoolNotAllowed"
	case NoMatchingPool:
		return "NoMatchingPool"
	case FamilyUnavailable:
		return "FamilyUnavailable"
	case PoolExhausted:
		return "PoolExhausted"
	case AddressNotInPool:
		return "AddressNotInPool"
	case AddressInUse:
		return "AddressInUse"
	case BeingDeleted:
		return "BeingDeleted"
	default:
		return "Unset"
	}
}

// fulfilled reports whether the condition is True.
func (r Reason) fulfilled() bool { return r == Assigned || r == PartlyAssigned }

// A refusal says why a wish is not fulfilled.
type refusal struct {
	reason  Reason
	message string
}
