// Package assign gives Services of type LoadBalancer their addresses: it
// reads the cluster, asks ipam, and writes the outcome to Service.status.
//
// It promises that an address in a status stays where it is unless its owner
// asks for another or no pool has it any longer, that every address already in
// a status is claimed before the first new one is given out, that a Service's
// status is written only when it changes, and that a Service that cannot be
// served says why, in a condition and in one event.
package assign
