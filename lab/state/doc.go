// Package state is what one lab is and what it has started: its address plan,
// its hosts and its processes, kept in a file below /var/lib/lab/NAME.
//
// It promises that a thing is in the file before it exists on the machine, or
// can be found by its name alone, so that `lab down` after a crash half way
// finds all of it; that the file is replaced whole or not at all; and that two
// labs never share a name, an index or, through the index, a subnet. One
// program at a time changes a lab: it holds the lock of its Store. Reading
// takes no lock.
//
// The package itself starts nothing and asks the kernel nothing.
package state
