// Package figures is the table in which measurements tell what they saw: for
// each figure how often it was measured, its median, its extremes, and whether
// that is what is wanted of it.
//
// It promises that every sample it was given is counted, and that a figure
// without samples is shown as such instead of left out. It measures nothing.
package figures
