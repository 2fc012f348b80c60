package config

import (
	"path"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// maxInterfaceName is how long the name of a link is at most: IFNAMSIZ less
// the byte that ends it.
const maxInterfaceName = 15

// maxWeight bounds spec.preferredNodes[].weight; the schema states it too.
const maxWeight = 100

// l2Advertisements judges all L2Advertisements.
func (j *judgment) l2Advertisements(objects []v1beta1.L2Advertisement, known references) []L2Advertisement {
	meta := func(o *v1beta1.L2Advertisement) *metav1.ObjectMeta { return &o.ObjectMeta }
	return judge(j, v1beta1.KindL2Advertisement, objects, meta,
		func(o *v1beta1.L2Advertisement, f *findings) L2Advertisement { return f.l2Advertisement(o, known) })
}

// l2Advertisement judges one L2Advertisement.
func (f *findings) l2Advertisement(o *v1beta1.L2Advertisement, known references) L2Advertisement {
	a := L2Advertisement{
		Name:             o.Name,
		Pools:            f.poolsOf(o.Spec.IPAddressPools, o.Spec.IPAddressPoolSelectors, known),
		AllPools:         allPools(o.Spec.IPAddressPools, o.Spec.IPAddressPoolSelectors),
		ServiceSelectors: f.selectors("spec.serviceSelectors", o.Spec.ServiceSelectors),
		NodeSelectors:    f.selectors("spec.nodeSelectors", o.Spec.NodeSelectors),
		Interfaces:       sortedSet(o.Spec.Interfaces),
		Failback:         o.Spec.Failback,
	}
	for i := range o.Spec.PreferredNodes {
		p, field := &o.Spec.PreferredNodes[i], item("spec.preferredNodes", i)
		if p.Weight < 1 || p.Weight > maxWeight {
			f.reject(InvalidValue, field+".weight", p.Weight, "must be from 1 to %d", maxWeight)
		}
		a.Preferred = append(a.Preferred, WeightedSelector{p.Weight, f.selector(field+".selector", &p.Selector)})
	}
	for i, name := range o.Spec.Interfaces {
		f.interfacePattern(item("spec.interfaces", i), name)
	}
	return a
}

// interfacePattern judges the name of a link, or a pattern for names.
func (f *findings) interfacePattern(field, pattern string) {
	switch _, err := path.Match(pattern, ""); {
	case pattern == "":
		f.reject(InvalidValue, field, pattern, "must not be empty")
	case err != nil:
		f.reject(InvalidValue, field, pattern, "not a pattern: a [ or \\ is not complete")
	case strings.ContainsAny(pattern, "/ \t\r\n"):
		f.reject(InvalidValue, field, pattern, "an interface's name has no slash and no space")
	case !strings.ContainsAny(pattern, `*?[\`) && len(pattern) > maxInterfaceName:
		f.reject(InvalidValue, field, pattern, "an interface's name has at most %d bytes", maxInterfaceName)
	}
}
