// Command controller gives Services of type LoadBalancer their addresses.
//
// It runs as a Deployment, needs no privileges on its node, and talks to the
// Kubernetes API alone. Of several replicas the one that holds a lease acts;
// the others follow what happens, so that they can take over at once.
package main
