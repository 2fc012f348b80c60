// Package config turns the custom resources of one cluster into one immutable
// Config, with a Verdict for each object.
//
// Parse looks at all objects together, because overlap and references cannot
// be judged one by one. An object that breaks a rule is left out with a
// Verdict that names field, value and rule; everything else stays in force.
// Past Parse no value is a string that might be wrong.
//
// The package is pure: no goroutines, clocks, I/O, logs or clients. The
// controller, every speaker and the command line call it with the same
// objects and get the same answer.
package config
