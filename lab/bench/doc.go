// Bench measures Herald with thousands of Services in a real cluster: it starts
// a lab, installs Herald, and prints one table of what it took, beside what is
// wanted.
//
// Every figure comes from outside: times from a watch of the API server,
// writes from its audit log, memory and processor time from the metrics of
// the processes. What is compared is measured in the same run, with the same
// client settings: a loop that only patches statuses says what the API server
// can do, and the time that Herald takes stands beside it.
//
// The Services have no endpoints and the pool is not on the lab's segment, so
// nothing is announced: it is assigning that is measured. The last step gives
// them endpoints and measures how one node announces all of them to FRR and BIRD. Bench is no test; a
// figure that misses its mark is marked in the table and fails nothing.
package main
