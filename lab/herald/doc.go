// Package herald installs Herald into a lab, the way a user would: images on
// the nodes, manifests/install.yaml applied with kubectl, and a wait until the
// controller and every speaker run. It is the only package of the lab that
// knows what the lab is for.
package herald
