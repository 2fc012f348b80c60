// Package probe asks a URL again and again, each time over a new TCP
// connection, and reports for how long nobody answered, who answered, and whom
// the backends saw asking.
//
// It promises that probes start on a fixed schedule, whatever became of those
// before them: a slow or lost answer delays no other probe, so a gap is never
// longer in the report than it was on the wire, plus one interval. Report is
// computed by a pure function from the list of results. The package probes from
// the network namespace that its process runs in, never follows redirects,
// never uses a proxy and never reuses a connection.
package probe
