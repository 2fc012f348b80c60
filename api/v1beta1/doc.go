// Package v1beta1 has the custom resources of Herald, API group heraldlb.io.
//
// The comments on the fields are what `kubectl explain` shows. Syntax is
// checked by the schemas (OpenAPI and CEL); what needs other objects to judge
// is judged by package config and told in the condition Accepted.
//
// +kubebuilder:object:generate=true
// +groupName=heraldlb.io
package v1beta1
