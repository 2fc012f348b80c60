// Package kube holds what controller and speaker both need of Kubernetes: the
// scheme, the manager with its probes and metrics, cache settings, and the
// collection of Herald's objects into config.Objects.
package kube
