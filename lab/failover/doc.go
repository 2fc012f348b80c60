// Command failover measures what clients of Herald's addresses notice when
// something goes wrong, and what they should not notice at all.
//
// It starts a lab of three nodes, both families, two networks and two routers.
// For each fault in layer 2, as often as it is told to, it moves the addresses of
// a Service to one node while the Service's endpoint is on another, connects to
// each address every 10 ms and asks for each every 10 ms, does the fault, and
// mends it. It also measures how soon the address of a new Service answers, how
// addresses are spread, how many move when a node comes or goes, and whether any
// moves when the machine is busy.
//
// The same is done for BGP, with addresses that only routers lead to, from one
// client behind FRR and one behind BIRD, both of which spread connections over
// all nodes.
//
// It prints a table of medians with their extremes, beside what is wanted of
// them, and takes the lab down. What it tells was seen from a host beside the
// cluster, but for who holds which of many addresses, which it reads from the
// speakers' own status.
package main
