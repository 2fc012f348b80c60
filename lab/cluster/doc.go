// Package cluster runs a Kubernetes cluster on the hosts of a lab: a control
// plane on the host cp, and a container runtime, a kubelet and kube-proxy on
// every node, all of them the programs that users run, with the defaults that
// users have. Where the lab departs from a default, for a cgroup layout, for
// speed at start or to keep nodes apart on one machine, the place says why.
//
// Up, Join, Leave and Down change a lab whose Store the caller holds. They wait
// until what they did is of use: nodes Ready, or everything gone. The package
// knows nothing of what is installed into the cluster.
package cluster
