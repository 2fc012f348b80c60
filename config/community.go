package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// aliasName is the form of a community's name; the schema states it too.
var aliasName = regexp.MustCompile(`^[a-zA-Z]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$`)

// An alias is the community that a name stands for. An alias whose Community
// object is not accepted has only that object's name.
type alias struct {
	value    Community
	object   string
	accepted bool
}

// communities judges all Community objects, and returns their names.
func (j *judgment) communities(objects []v1beta1.Community) map[string]alias {
	aliases := map[string]alias{}
	meta := func(o *v1beta1.Community) *metav1.ObjectMeta { return &o.ObjectMeta }
	judge(j, v1beta1.KindCommunity, objects, meta, func(o *v1beta1.Community, f *findings) Community {
		own := f.community(o, aliases)
		if f.accepted() {
			maps.Copy(aliases, own)
		}
		return Community{}
	})
	for i := range objects {
		for _, c := range objects[i].Spec.Communities {
			a, ok := aliases[c.Name]
			if !ok || (!a.accepted && objects[i].Name < a.object) {
				aliases[c.Name] = alias{object: objects[i].Name}
			}
		}
	}
	return aliases
}

// community judges one Community object beside the names of older ones.
func (f *findings) community(o *v1beta1.Community, older map[string]alias) map[string]alias {
	own := map[string]alias{}
	for i, c := range o.Spec.Communities {
		field := item("spec.communities", i)
		if !aliasName.MatchString(c.Name) {
			f.reject(InvalidValue, field+".name", c.Name, "must be letters, digits, '.', '_' and '-', and begin with a letter")
		}
		value, err := parseCommunity(c.Value)
		if err != nil {
			f.reject(InvalidValue, field+".value", c.Value, "%v", err)
			continue
		}
		if _, ok := own[c.Name]; ok {
			f.reject(Conflict, field+".name", c.Name, "is given twice")
		}
		if a, ok := older[c.Name]; ok && a.value != value {
			f.reject(Conflict, field+".name", c.Name, "is %v in Community %q, which came first", a.value, a.object)
		}
		own[c.Name] = alias{value: value, object: o.Name, accepted: true}
	}
	if len(o.Spec.Communities) == 0 {
		f.reject(InvalidValue, "spec.communities", nil, "must have at least one name")
	}
	return own
}

// String returns the community as it is written in the API.
func (c Community) String() string {
	if c.Large {
		return fmt.Sprintf("%d:%d:%d", c.Global, c.Local1, c.Local2)
	}
	return fmt.Sprintf("%d:%d", c.Global, c.Local1)
}

// compare orders standard communities before large ones, then by value.
func (c Community) compare(d Community) int {
	if c.Large != d.Large {
		if d.Large {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(c.Global, d.Global), cmp.Compare(c.Local1, d.Local1), cmp.Compare(c.Local2, d.Local2))
}

// parseCommunity parses "65000:100" (RFC 1997), "64512:1:2" (RFC 8092) and
// the latter with the prefix "large:".
func parseCommunity(s string) (Community, error) {
	rest, large := strings.CutPrefix(s, "large:")
	parts := strings.Split(rest, ":")
	bits := 16
	switch {
	case len(parts) == 3:
		bits, large = 32, true
	case len(parts) != 2 || large:
		return Community{}, errors.New("must be two numbers such as 65000:100, or three such as 64512:1:2")
	}
	var n [3]uint32
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, bits)
		if err != nil {
			return Community{}, fmt.Errorf("%q is not a number from 0 to %d", shorten(part), uint64(1)<<bits-1)
		}
		n[i] = uint32(v)
	}
	return Community{Large: large, Global: n[0], Local1: n[1], Local2: n[2]}, nil
}
