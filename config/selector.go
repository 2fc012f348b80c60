package config

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/heraldlb/herald/api/v1beta1"
)

// operators maps how the API spells operators to the ones of package labels.
var operators = map[metav1.LabelSelectorOperator]selection.Operator{
	metav1.LabelSelectorOpIn:           selection.In,
	metav1.LabelSelectorOpNotIn:        selection.NotIn,
	metav1.LabelSelectorOpExists:       selection.Exists,
	metav1.LabelSelectorOpDoesNotExist: selection.DoesNotExist,
}

// selectors converts a list of selectors; nil stays nil.
func (f *findings) selectors(field string, list []v1beta1.LabelSelector) []labels.Selector {
	var out []labels.Selector
	for i := range list {
		out = append(out, f.selector(item(field, i), &list[i]))
	}
	return out
}

// selector converts one selector; an empty one matches everything. Problems
// are told in a fixed order, which the ready-made conversion does not promise.
func (f *findings) selector(field string, s *v1beta1.LabelSelector) labels.Selector {
	sel := labels.NewSelector()
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		at := fmt.Sprintf("%s.matchLabels[%q]", field, shorten(key))
		sel = f.require(sel, at, key, selection.Equals, s.MatchLabels[key])
	}
	for i, e := range s.MatchExpressions {
		at := item(field+".matchExpressions", i)
		op, ok := operators[e.Operator]
		if !ok {
			f.reject(InvalidValue, at+".operator", string(e.Operator), "must be In, NotIn, Exists or DoesNotExist")
			continue
		}
		sel = f.require(sel, at, e.Key, op, e.Values...)
	}
	return sel
}

// require adds a requirement to a selector.
func (f *findings) require(sel labels.Selector, at, key string, op selection.Operator, values ...string) labels.Selector {
	if len(validation.IsQualifiedName(key)) > 0 {
		f.reject(InvalidValue, at, key, "not a label's key: at most 63 letters, digits, '-', '_' and '.', after a DNS name and a slash if any")
		return sel
	}
	for _, v := range values {
		if len(validation.IsValidLabelValue(v)) > 0 {
			f.reject(InvalidValue, at, v, "not a label's value: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends")
			return sel
		}
	}
	req, err := labels.NewRequirement(key, op, slices.Clone(values))
	if err != nil {
		f.reject(InvalidValue, at, key, "values are required with In and NotIn, and not allowed with Exists and DoesNotExist")
		return sel
	}
	return sel.Add(*req)
}

// matchesAny reports whether one of the selectors matches; none matches all.
func matchesAny(list []labels.Selector, l Labels) bool {
	if len(list) == 0 {
		return true
	}
	return slices.ContainsFunc(list, func(s labels.Selector) bool { return s.Matches(l) })
}
