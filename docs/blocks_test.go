package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kubescheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
)

// A block is a fenced block of YAML of a page.
type block struct {
	// where is "page:line" of its first line.
	where   string
	text    []string
	objects []runtime.Object
}

// fenced returns the blocks of a page.
func fenced(t *testing.T, page string) []block {
	t.Helper()
	var all []block
	inside := false
	for i, line := range lines(t, page) {
		fence := strings.TrimSpace(line)
		switch {
		case !inside && (fence == "```yaml" || fence == "```yml"):
			all = append(all, block{where: fmt.Sprintf("%s:%d", page, i+2)})
			inside = true
		case inside && fence == "```":
			inside = false
		case inside:
			last := &all[len(all)-1]
			last.text = append(last.text, line)
		}
	}
	if inside {
		t.Errorf("%s: block without an end", all[len(all)-1].where)
	}
	return all
}

// blocks decodes every block of every page, and fails the test for one that is
// not what an API server would take.
func blocks(t *testing.T) []block {
	t.Helper()
	decode := decoder(t)
	var all []block
	for _, page := range pages(t) {
		all = append(all, fenced(t, page)...)
	}
	for i := range all {
		b := &all[i]
		for doc := range strings.SplitSeq(strings.Join(b.text, "\n"), "\n---\n") {
			o, err := decode(doc)
			if err != nil {
				t.Errorf("%s: %v", b.where, err)
			} else if o != nil {
				b.objects = append(b.objects, o)
			}
		}
	}
	return all
}

// decoder returns a function that decodes a whole object strictly. For one of
// a kind that neither Kubernetes nor Herald has, it only checks that it is
// YAML, and returns nil.
func decoder(t *testing.T) func(string) (runtime.Object, error) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := kubescheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	strict := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	return func(doc string) (runtime.Object, error) {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			return nil, err
		}
		if head.APIVersion == "" || head.Kind == "" {
			return nil, fmt.Errorf("%.40q: not a whole object: apiVersion or kind is missing", doc)
		}
		o, _, err := strict.Decode([]byte(doc), nil, nil)
		if runtime.IsNotRegisteredError(err) && !strings.Contains(head.APIVersion, v1beta1.GroupVersion.Group) {
			return nil, nil
		}
		return o, err
	}
}

// Every block of YAML can be applied as it stands: nothing in it is unknown,
// and Herald's objects are accepted without reserve. What they refer to may
// stand in another block.
func TestBlocks(t *testing.T) {
	all := blocks(t)
	herald := 0
	for _, b := range all {
		var own collection
		for _, o := range b.objects {
			own.add(o)
		}
		herald += len(own.names)
		whole := own
		whole.names = slices.Clone(own.names)
		for whole.complete(all) {
		}
		_, verdicts := config.Parse(whole.Objects)
		for _, v := range verdicts {
			if v.Reason != config.Valid && slices.Contains(own.names, v.Kind+"/"+v.Name) {
				t.Errorf("%s: %s %q: %v: %s", b.where, v.Kind, v.Name, v.Reason, v.Message)
			}
		}
	}
	if herald == 0 {
		t.Errorf("no object of Herald in %d blocks", len(all))
	}
}

// A collection is a set of Herald's objects.
type collection struct {
	config.Objects
	// names has each of them as "kind/name".
	names []string
}

// add adds an object, if it is one that is judged.
func (c *collection) add(o runtime.Object) {
	kind, name := nameOf(o)
	switch o := o.(type) {
	case *v1beta1.IPAddressPool:
		c.Pools = append(c.Pools, *o)
	case *v1beta1.L2Advertisement:
		c.L2Advertisements = append(c.L2Advertisements, *o)
	case *v1beta1.BGPAdvertisement:
		c.BGPAdvertisements = append(c.BGPAdvertisements, *o)
	case *v1beta1.BGPPeer:
		c.Peers = append(c.Peers, *o)
		if c.Passwords == nil {
			c.Passwords = map[string]string{}
		}
		c.Passwords[o.Spec.PasswordSecret] = "secret"
	case *v1beta1.BFDProfile:
		c.BFDProfiles = append(c.BFDProfiles, *o)
	case *v1beta1.Community:
		c.Communities = append(c.Communities, *o)
	default:
		return
	}
	c.names = append(c.names, kind+"/"+name)
}

// nameOf returns kind and name of an object.
func nameOf(o runtime.Object) (kind, name string) {
	kind = o.GetObjectKind().GroupVersionKind().Kind
	if m, ok := o.(interface{ GetName() string }); ok {
		name = m.GetName()
	}
	return kind, name
}

// complete adds what the objects refer to from other blocks, and reports
// whether that was anything.
func (c *collection) complete(all []block) bool {
	added := false
	wanted := c.references()
	for _, b := range all {
		for _, o := range b.objects {
			kind, name := nameOf(o)
			refers := slices.Contains(wanted, kind+"/"+name) || kind == v1beta1.KindCommunity
			if refers && !slices.Contains(c.names, kind+"/"+name) {
				c.add(o)
				added = true
			}
		}
	}
	return added
}

// references returns what the objects refer to by name, as "kind/name".
func (c *collection) references() []string {
	var all []string
	want := func(kind string, names ...string) {
		for _, n := range names {
			all = append(all, kind+"/"+n)
		}
	}
	for i := range c.L2Advertisements {
		want(v1beta1.KindIPAddressPool, c.L2Advertisements[i].Spec.IPAddressPools...)
	}
	for i := range c.BGPAdvertisements {
		want(v1beta1.KindIPAddressPool, c.BGPAdvertisements[i].Spec.IPAddressPools...)
		want(v1beta1.KindBGPPeer, c.BGPAdvertisements[i].Spec.Peers...)
	}
	for i := range c.Peers {
		want(v1beta1.KindBFDProfile, c.Peers[i].Spec.BFDProfile)
	}
	return all
}
