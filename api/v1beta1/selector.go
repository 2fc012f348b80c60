package v1beta1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LabelSelector matches objects by their labels. It is written as everywhere
// in Kubernetes: everything in matchLabels and matchExpressions must hold. An
// empty selector matches every object.
// ---
// It is a type of its own, not metav1.LabelSelector, so that the API server
// refuses an unknown operator or a missing value when the object is applied.
// +structType=atomic
type LabelSelector struct {
	// Labels that an object must have with exactly these values.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	MatchLabels map[string]string `json:"matchLabels,omitempty"`

	// Requirements on labels that an object must meet, all of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MatchExpressions []LabelSelectorRequirement `json:"matchExpressions,omitempty"`
}

// LabelSelectorRequirement compares one label with values.
// +kubebuilder:validation:XValidation:rule="self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",message="values are required with In and NotIn, and not allowed with Exists and DoesNotExist"
type LabelSelectorRequirement struct {
	// Key of the label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Key string `json:"key"`

	// How the label is compared: In and NotIn look at its value, Exists and
	// DoesNotExist at whether the label is there.
	// +required
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	Operator metav1.LabelSelectorOperator `json:"operator"`

	// Values to compare with; required with In and NotIn, and not allowed with
	// Exists and DoesNotExist.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	Values []string `json:"values,omitempty"`
}
