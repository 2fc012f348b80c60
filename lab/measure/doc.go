// Package measure is what the programs that measure in a lab have in common:
// their flags, their steps, the lab that each starts and takes down, and the
// progress they tell.
//
// It promises that steps are run in the order of the program and not of the
// flag, and that the lab is taken down however the program ends, unless it is to
// be kept. What is measured, and how, is each program's own.
package measure
