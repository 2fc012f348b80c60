package config

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// Objects are the custom resources of one cluster, as they are read from it
// or from files. Parse does not change them.
type Objects struct {
	Pools             []v1beta1.IPAddressPool
	L2Advertisements  []v1beta1.L2Advertisement
	BGPAdvertisements []v1beta1.BGPAdvertisement
	Peers             []v1beta1.BGPPeer
	BFDProfiles       []v1beta1.BFDProfile
	Communities       []v1beta1.Community
	// Passwords has the key "password" of the Secrets in Herald's namespace by
	// the Secret's name; those without that key are left out.
	Passwords map[string]string
}

// A Verdict says what Parse made of one object.
type Verdict struct {
	Kind, Name string
	// Generation is that of the object judged.
	Generation int64
	// Accepted is true when the object is in the Config, at least in part.
	Accepted bool
	Reason   Reason
	// Message names field, value and rule for everything that is wrong; it is
	// empty when Reason is Valid.
	Message string
}

// Reason says in a word why an object is or is not accepted; zero means not set.
type Reason int

// The reasons. With Valid and Partial the object is accepted.
const (
	// Valid: all of the object is in force.
	Valid Reason = iota + 1
	// Partial: the object is in force, except for a part that the message
	// names, which refers to something that is not there or does not fit.
	Partial
	// InvalidValue: a field breaks a rule by itself.
	InvalidValue
	// Overlap: a range has addresses in common with an older pool.
	Overlap
	// Conflict: an older object says something else about the same thing.
	Conflict
	// UnknownReference: the object names one that is not there or not accepted.
	UnknownReference
	// MissingSecret: the Secret with the password is not there.
	MissingSecret
)

// String returns the reason as it stands in conditions, logs and metrics.
func (r Reason) String() string {
	switch r {
	case Valid:
		return "Valid"
	case Partial:
		return "Partial"
	case InvalidValue:
		return "InvalidValue"
	case Overlap:
		return "Overlap"
	case Conflict:
		return "Conflict"
	case UnknownReference:
		return "UnknownReference"
	case MissingSecret:
		return "MissingSecret"
	default:
		return "Unset"
	}
}

// Parse makes a Config of all objects that are in order, and gives a Verdict
// for each object, sorted by kind and name.
//
// The order of the input does not matter. Where two objects exclude each
// other, the older by creation time, then by name, is accepted; one without a
// creation time is the youngest. Only accepted objects exclude others.
//
// A reference to several things (pools, peers) is kept as far as they exist,
// so that deleting one pool never withdraws another's addresses; a reference
// to the one thing that is needed (a profile, a password, a community) must be
// met. Verdicts change by themselves when what is missing appears.
func Parse(o Objects) (*Config, []Verdict) {
	var j judgment
	c := &Config{}

	profiles := j.profiles(o.BFDProfiles)
	aliases := j.communities(o.Communities)
	declared := j.pools(o.Pools, c)
	c.index, c.retired = newIndex(c.Pools), newIndex(c.Retired)
	c.Peers = j.peers(o.Peers, profiles, o.Passwords)

	known := references{
		config:   c,
		declared: declared,
		pools:    names(o.Pools, func(p *v1beta1.IPAddressPool) string { return p.Name }),
		peers:    names(o.Peers, func(p *v1beta1.BGPPeer) string { return p.Name }),
		aliases:  aliases,
	}
	c.L2Advertisements = j.l2Advertisements(o.L2Advertisements, known)
	c.BGPAdvertisements = j.bgpAdvertisements(o.BGPAdvertisements, known)

	slices.SortFunc(j.verdicts, func(a, b Verdict) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Message, b.Message))
	})
	return c, j.verdicts
}

// A judgment collects the verdicts of one Parse.
type judgment struct{ verdicts []Verdict }

// judge calls parse for every object, oldest first, gives each its Verdict and
// returns what became of the accepted ones, sorted by name. Objects of one
// kind with one name, which only files can have, are all rejected.
func judge[O any, T any](j *judgment, kind string, objects []O, meta func(*O) *metav1.ObjectMeta,
	parse func(*O, *findings) T) []T {
	order := make([]*O, len(objects))
	count := map[string]int{}
	for i := range objects {
		order[i] = &objects[i]
		count[meta(order[i]).Name]++
	}
	slices.SortStableFunc(order, func(a, b *O) int { return compareAge(meta(a), meta(b)) })

	type named struct {
		name  string
		value T
	}
	var accepted []named
	for _, o := range order {
		m := meta(o)
		f := &findings{}
		if n := count[m.Name]; n > 1 {
			f.reject(Conflict, "metadata.name", m.Name, "%d objects have this name", n)
		} else if value := parse(o, f); f.accepted() {
			accepted = append(accepted, named{m.Name, value})
		}
		j.verdicts = append(j.verdicts, f.verdict(kind, m))
	}
	slices.SortFunc(accepted, func(a, b named) int { return cmp.Compare(a.name, b.name) })
	var values []T
	for _, a := range accepted {
		values = append(values, a.value)
	}
	return values
}

// compareAge orders older objects before younger ones.
func compareAge(a, b *metav1.ObjectMeta) int {
	return cmp.Or(birth(a).Compare(birth(b)), strings.Compare(a.Name, b.Name))
}

// birth returns when an object was created; one that is not yet is younger
// than all that are.
func birth(m *metav1.ObjectMeta) time.Time {
	if m.CreationTimestamp.IsZero() {
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return m.CreationTimestamp.Time
}

// names returns the set of the objects' names.
func names[O any](objects []O, name func(*O) string) map[string]bool {
	set := map[string]bool{}
	for i := range objects {
		set[name(&objects[i])] = true
	}
	return set
}
