package config

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Bounds of a message, which a person reads and a condition holds (32 KiB).
const (
	maxFindings = 8    // problems told of one object
	maxQuoted   = 100  // bytes repeated of a wrong value
	maxMessage  = 4096 // bytes in all
)

// findings are what is wrong with one object.
type findings struct {
	reason Reason // of the first rejection; zero when there is none
	faults []string
	notes  []string
}

// reject notes a value that keeps the object from being accepted. A value of
// nil is one that is not there. The message is built as
// `field "value": rule`.
func (f *findings) reject(r Reason, field string, value any, rule string, args ...any) {
	if f.reason == 0 {
		f.reason = r
	}
	f.faults = append(f.faults, finding(field, value, rule, args))
}

// note notes a part of the object that has no effect, of an object that is
// accepted otherwise.
func (f *findings) note(field string, value any, rule string, args ...any) {
	f.notes = append(f.notes, finding(field, value, rule, args))
}

// accepted reports whether nothing was rejected so far.
func (f *findings) accepted() bool { return f.reason == 0 }

// verdict sums up.
func (f *findings) verdict(kind string, m *metav1.ObjectMeta) Verdict {
	v := Verdict{Kind: kind, Name: m.Name, Generation: m.Generation}
	switch {
	case !f.accepted():
		v.Reason, v.Message = f.reason, join(f.faults)
	case len(f.notes) > 0:
		v.Accepted, v.Reason, v.Message = true, Partial, join(f.notes)
	default:
		v.Accepted, v.Reason = true, Valid
	}
	return v
}

// finding formats one problem.
func finding(field string, value any, rule string, args []any) string {
	rule = fmt.Sprintf(rule, args...)
	switch v := value.(type) {
	case nil:
		return fmt.Sprintf("%s: %s", field, rule)
	case string:
		return fmt.Sprintf("%s %q: %s", field, shorten(v), rule)
	default:
		return fmt.Sprintf("%s %v: %s", field, v, rule)
	}
}

// shorten cuts a value that is too long to be repeated.
func shorten(s string) string {
	return cut(s, maxQuoted)
}

// cut shortens a text to at most limit bytes and three dots.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}

// join makes one message of several problems.
func join(problems []string) string {
	if more := len(problems) - maxFindings; more > 0 {
		problems = append(problems[:maxFindings:maxFindings], fmt.Sprintf("and %d more", more))
	}
	return cut(strings.Join(problems, "; "), maxMessage)
}

// item names an element of a list.
func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// sortedSet returns a sorted copy without duplicates; empty is nil.
func sortedSet(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
