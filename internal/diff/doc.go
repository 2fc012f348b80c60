// Package diff compares a desired keyed set with an actual one.
//
// Its one law: applying the Change to the actual set gives the desired set.
package diff
