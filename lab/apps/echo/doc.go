// Command echo is the HTTP backend of the lab: it answers every request with
// who answered and whom it saw asking.
//
// It promises a small answer (package answer) to every path, as text, or as
// JSON to a client that accepts it, and "ok" on /healthz. ?headers=1 adds the
// request's headers. On SIGINT or SIGTERM it fails /healthz, goes on serving
// for --drain, and then lets the requests under way end. It never trusts a
// header about the client's address: it reports the address the connection
// really came from, which is what tests of traffic policies need.
package main
