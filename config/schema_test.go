package config_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/config"
)

// A kindSchema judges objects of one kind as the API server does.
type kindSchema struct {
	structural *schema.Structural
	openAPI    validation.SchemaValidator
	cel        *cel.Validator
}

// schemas loads the generated CRDs, and fails the test when the API server
// would refuse one, for the cost of its rules for example.
func schemas(t *testing.T) map[string]kindSchema {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../manifests/crds/heraldlb.io_*.yaml")
	if err != nil || len(files) != 7 {
		t.Fatalf("CRDs: %v, %v, want 7", files, err)
	}
	all := map[string]kindSchema{}
	for _, name := range files {
		var outer apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(read(t, name), &outer); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		scheme.Default(&outer)
		outer.Status.StoredVersions = []string{v1beta1.GroupVersion.Version}
		var crd apiextensions.CustomResourceDefinition
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&outer, &crd, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if errs := crdvalidation.ValidateCustomResourceDefinition(t.Context(), &crd); len(errs) > 0 {
			t.Fatalf("%s: %v", name, errs.ToAggregate())
		}
		all[crd.Spec.Names.Kind] = newKindSchema(t, crd.Spec.Validation.OpenAPIV3Schema)
	}
	return all
}

func newKindSchema(t *testing.T, props *apiextensions.JSONSchemaProps) kindSchema {
	t.Helper()
	structural, err := schema.NewStructural(props)
	if err != nil {
		t.Fatal(err)
	}
	openAPI, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		t.Fatal(err)
	}
	return kindSchema{structural, openAPI, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// apply does what `kubectl apply` and the API server do: refuse unknown
// fields, fill in defaults, check the schema and the rules.
func (k kindSchema) apply(ctx context.Context, object map[string]any) field.ErrorList {
	var errs field.ErrorList
	unknown := pruning.PruneWithOptions(object, k.structural, true,
		schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		errs = append(errs, field.Forbidden(nil, fmt.Sprintf("unknown field %q", path)))
	}
	defaulting.Default(object, k.structural)
	errs = append(errs, validation.ValidateCustomResource(nil, object, k.openAPI)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	rules, _ := k.cel.Validate(ctx, nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, rules...)
}

// TestSamplesAreGood applies every sample, and parses all of them together.
func TestSamplesAreGood(t *testing.T) {
	kinds := schemas(t)
	files, err := filepath.Glob("../manifests/samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	o := config.Objects{Passwords: map[string]string{}}
	for _, name := range files {
		for _, doc := range documents(t, read(t, name)) {
			object := decode(t, doc)
			kind, _ := object["kind"].(string)
			if kind == "Secret" {
				addPassword(t, &o, doc)
				continue
			}
			shown[kind] = true
			if errs := kinds[kind].apply(t.Context(), object); len(errs) > 0 {
				t.Errorf("%s: %v", name, errs.ToAggregate())
			}
			if err := add(&o, kind, doc); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for kind := range kinds {
		if !shown[kind] {
			t.Errorf("no sample of kind %s", kind)
		}
	}
	_, verdicts := config.Parse(o)
	for _, v := range verdicts {
		if v.Reason != config.Valid {
			t.Errorf("%s %q: %v: %s", v.Kind, v.Name, v.Reason, v.Message)
		}
	}
}

// TestTyposAreRefused: what is wrong by itself is refused when it is applied,
// and Parse, which sees objects that no API server checked, accepts none of it.
func TestTyposAreRefused(t *testing.T) {
	kinds := schemas(t)
	for _, file := range txtar.Parse(read(t, "testdata/refused.txtar")).Files {
		t.Run(strings.TrimSuffix(file.Name, ".yaml"), func(t *testing.T) {
			first, _, _ := strings.Cut(string(file.Data), "\n")
			want := strings.TrimPrefix(first, "# ")
			object := decode(t, file.Data)
			kind, _ := object["kind"].(string)
			object["apiVersion"] = v1beta1.GroupVersion.String()
			object["metadata"] = map[string]any{"name": "a"}
			text := ""
			if err := kinds[kind].apply(t.Context(), object).ToAggregate(); err != nil {
				text = err.Error()
			}
			if !strings.Contains(text, want) {
				t.Errorf("refused with %q, want %q", text, want)
			}

			var o config.Objects
			if err := add(&o, kind, file.Data); err != nil {
				return // does not decode
			}
			if _, verdicts := config.Parse(o); verdicts[0].Accepted {
				t.Errorf("Parse accepts it")
			}
		})
	}
}

// TestDefaultsAgree: an object gives the same Config whether the API server
// filled in the defaults or Parse did.
func TestDefaultsAgree(t *testing.T) {
	kinds := schemas(t)
	docs := []string{
		"kind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: [10.0.0.0/24]}",
		"kind: BGPAdvertisement\nmetadata: {name: a}",
		"kind: BFDProfile\nmetadata: {name: a}",
		"kind: BGPPeer\nmetadata: {name: a}\nspec: {myASN: 1, peerASN: 2, peerAddress: 10.1.0.1, bfdProfile: a}",
	}
	var plain, filled config.Objects
	for _, doc := range docs {
		object := decode(t, []byte(doc))
		kind, _ := object["kind"].(string)
		defaulting.Default(object, kinds[kind].structural)
		full, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(add(&plain, kind, []byte(doc)), add(&filled, kind, full)); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := config.Parse(plain)
	b, _ := config.Parse(filled)
	if d := diffConfig(a, b); d != "" {
		t.Errorf("(-Parse +API server)\n%s", d)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// documents splits a file at its "---" lines.
func documents(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var docs [][]byte
	r := utilyaml.NewYAMLReader(bufferedReader(data))
	for {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
}

func decode(t *testing.T, doc []byte) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := json.Unmarshal(data, &object); err != nil { // whole numbers become int64
		t.Fatal(err)
	}
	return object
}

// addPassword decodes a Secret as package kube collects it.
func addPassword(t *testing.T, o *config.Objects, doc []byte) {
	t.Helper()
	var secret struct {
		Metadata   struct{ Name, Namespace string } `json:"metadata"`
		StringData struct{ Password string }        `json:"stringData"`
	}
	if err := yaml.Unmarshal(doc, &secret); err != nil {
		t.Fatal(err)
	}
	if secret.Metadata.Namespace != v1beta1.Namespace {
		t.Errorf("Secret %q: namespace %q", secret.Metadata.Name, secret.Metadata.Namespace)
	}
	o.Passwords[secret.Metadata.Name] = secret.StringData.Password
}
