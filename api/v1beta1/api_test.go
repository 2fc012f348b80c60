package v1beta1_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/heraldlb/herald/api/v1beta1"
)

// crds loads the generated CRDs by kind.
func crds(t *testing.T) map[string]apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob("../../manifests/crds/heraldlb.io_*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]apiextensionsv1.CustomResourceDefinition{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[crd.Spec.Names.Kind] = crd
	}
	return all
}

var kinds = []string{
	v1beta1.KindIPAddressPool, v1beta1.KindL2Advertisement, v1beta1.KindBGPAdvertisement, v1beta1.KindBGPPeer,
	v1beta1.KindBFDProfile, v1beta1.KindCommunity, v1beta1.KindSpeakerStatus,
}

// Every kind has a list, a CRD and, unless Herald alone writes it, conditions.
func TestEveryKindIsRegistered(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	all := crds(t)
	if len(all) != len(kinds) {
		t.Errorf("%d CRDs, want %d", len(all), len(kinds))
	}
	for _, kind := range kinds {
		o, err := scheme.New(v1beta1.GroupVersion.WithKind(kind))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := scheme.New(v1beta1.GroupVersion.WithKind(kind + "List")); err != nil {
			t.Error(err)
		}
		judged, ok := o.(interface {
			StatusConditions() *[]metav1.Condition
		})
		if ok != (kind != v1beta1.KindSpeakerStatus) {
			t.Errorf("%s: has conditions: %v", kind, ok)
		}
		if ok && judged.StatusConditions() == nil {
			t.Errorf("%s: no conditions", kind)
		}
		checkResource(t, all[kind])
	}
}

// checkResource checks what every CRD has in common.
func checkResource(t *testing.T, crd apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	names, version := crd.Spec.Names, crd.Spec.Versions[0]
	switch {
	case crd.Spec.Scope != apiextensionsv1.ClusterScoped:
		t.Errorf("%s: scope %s", names.Kind, crd.Spec.Scope)
	case len(names.ShortNames) != 1 || len(names.Categories) != 1 || names.Categories[0] != "herald":
		t.Errorf("%s: short names %v, categories %v", names.Kind, names.ShortNames, names.Categories)
	case version.Subresources == nil || version.Subresources.Status == nil:
		t.Errorf("%s: no status subresource", names.Kind)
	case len(version.AdditionalPrinterColumns) < 4:
		t.Errorf("%s: columns %v", names.Kind, version.AdditionalPrinterColumns)
	}
}

// `kubectl explain` has a text for every field, and what people write is bounded.
func TestEveryFieldIsExplained(t *testing.T) {
	for kind, crd := range crds(t) {
		root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		if root.Description == "" {
			t.Errorf("%s: no description", kind)
		}
		for _, part := range []string{"spec", "status"} {
			if props, ok := root.Properties[part]; ok {
				checkField(t, kind+"."+part, props)
			}
		}
	}
}

func checkField(t *testing.T, path string, p apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	if p.Description == "" {
		t.Errorf("%s: no description", path)
	}
	written := strings.Contains(path, ".spec")
	if written && p.Type == "array" && p.MaxItems == nil {
		t.Errorf("%s: no maxItems", path)
	}
	if written && p.Type == "string" && p.MaxLength == nil && p.Enum == nil {
		t.Errorf("%s: no maxLength", path)
	}
	for name, field := range p.Properties {
		checkField(t, path+"."+name, field)
	}
	if p.Items != nil && p.Items.Schema != nil && p.Items.Schema.Type == "object" {
		checkField(t, path+"[]", *p.Items.Schema)
	}
}

// A copy shares nothing with what it was made of.
func TestDeepCopy(t *testing.T) {
	yes := true
	p := &v1beta1.IPAddressPool{Spec: v1beta1.IPAddressPoolSpec{
		Addresses: []string{"10.0.0.0/24"}, AutoAssign: &yes,
		ServiceAllocation: &v1beta1.ServiceAllocation{ServiceSelectors: []v1beta1.LabelSelector{{MatchLabels: map[string]string{"a": "b"}}}},
	}}
	c := p.DeepCopy()
	c.Spec.Addresses[0] = "x"
	*c.Spec.AutoAssign = false
	c.Spec.ServiceAllocation.ServiceSelectors[0].MatchLabels["a"] = "c"
	if p.Spec.Addresses[0] != "10.0.0.0/24" || !*p.Spec.AutoAssign || p.Spec.ServiceAllocation.ServiceSelectors[0].MatchLabels["a"] != "b" {
		t.Errorf("the original changed: %+v", p.Spec)
	}
}

// A time that is not known is left out: null would be refused.
func TestUnknownTimesAreLeftOut(t *testing.T) {
	s := &v1beta1.SpeakerStatus{}
	s.Status.Layer2 = []v1beta1.Layer2Status{{Address: "10.0.0.1"}}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "since") || strings.Contains(fmt.Sprint(object), "since") {
		t.Errorf("%s\n%v", text, object)
	}
}
