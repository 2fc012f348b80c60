// Package archtest holds the import table of the repository as a test, with
// the other rules of CONVENTIONS.md that a machine can check: one package
// comment a package, and bounds on the length of files and functions.
package archtest
