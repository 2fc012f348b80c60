// Package answer is the answer of the echo backend, shared by the program that
// gives it and the prober that reads it, so that both always agree.
//
// It promises that Parse reads what JSON wrote. It never does I/O.
package answer
