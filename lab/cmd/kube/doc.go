// Kube is every Kubernetes program in one binary: kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubectl, and
// etcd beside them. Which of them it is depends on the name it is started
// under, so that one build and a few symbolic links make a whole cluster. It
// adds nothing to those programs and changes none of their defaults.
package main
