// Package program is what controller and speaker have in common as programs:
// flags, the logger, signals, the exit code, and how memory is traded for
// processor time.
package program
