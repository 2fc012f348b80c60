// Package drive runs the lab program on one lab, for tests and measurements
// that see a cluster the way its users do: from hosts beside it, and by
// kubectl.
//
// It promises that what it returns is what the program's own reports say, and
// that a verb which was ended early still reports what it saw until then. It
// never looks into the lab in another way, and never waits for the cluster to
// be in a certain state; callers do.
package drive
