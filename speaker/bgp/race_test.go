//go:build race

package bgp_test

// raced is true under the race detector.
const raced = true
