package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Silenced returns the members that the records of others call silent, each
// with one that does so. Whoever is silent cannot accuse anybody: the one that
// most others accuse is silenced first, and what it says does not count; among
// equals it is the one that accuses most, and then the last by name. So a node
// that hears nobody does not silence those that hear each other, two that cannot
// hear each other but are heard by all do not both fall, and everybody who knows
// the same records draws the same conclusion, the accused included.
func Silenced(members map[string]bool, records map[string]Record) map[string]string {
	accusers := map[string][]string{} // by accused, in order
	for _, name := range slices.Sorted(maps.Keys(members)) {
		for _, other := range records[name].Silent {
			if other != name && members[other] {
				accusers[other] = append(accusers[other], name)
			}
		}
	}
	silent := map[string]string{}
	for open := maps.Clone(accusers); len(open) > 0; {
		worst := slices.MaxFunc(slices.Collect(maps.Keys(open)), func(a, b string) int {
			return cmp.Or(
				cmp.Compare(len(open[a]), len(open[b])),
				cmp.Compare(len(records[a].Silent), len(records[b].Silent)),
				strings.Compare(a, b))
		})
		silent[worst] = open[worst][0]
		delete(open, worst)
		for name, by := range open {
			open[name] = slices.DeleteFunc(slices.Clone(by), func(accuser string) bool { return accuser == worst })
			if len(open[name]) == 0 {
				delete(open, name)
			}
		}
	}
	acquit(silent, accusers, records)
	return silent
}

// acquit takes those off silent whose accusers have all become silent after
// them, unless they accuse somebody themselves who is not.
func acquit(silent map[string]string, accusers map[string][]string, records map[string]Record) {
	counts := func(name string) bool { return silent[name] == "" }
	for _, name := range slices.Sorted(maps.Keys(silent)) {
		if i := slices.IndexFunc(accusers[name], counts); i >= 0 {
			silent[name] = accusers[name][i]
			continue
		}
		accuses := func(other string) bool {
			return counts(other) && slices.Contains(accusers[other], name)
		}
		if !slices.ContainsFunc(records[name].Silent, accuses) {
			delete(silent, name)
		}
	}
}
