package iprange

import "slices"

// Merge returns the addresses of all ranges, sorted (IPv4 first), with ranges
// that overlap or touch made one. It leaves its argument as it is.
func Merge(ranges []Range) []Range {
	sorted := slices.SortedFunc(slices.Values(ranges), Range.Compare)
	var merged []Range
	for _, r := range sorted {
		last := len(merged) - 1
		switch {
		case !r.IsValid():
		case last >= 0 && merged[last].reaches(r):
			merged[last].last = later(merged[last], r).last
		default:
			merged = append(merged, r)
		}
	}
	return merged
}

// Subtract returns the addresses of from that are not in cut, sorted and
// merged as by Merge. It leaves its arguments as they are.
func Subtract(from, cut []Range) []Range {
	var left []Range
	cut = Merge(cut)
	for _, r := range Merge(from) {
		for len(cut) > 0 && cut[0].last.Less(r.first) {
			cut = cut[1:] // before this range and so before all that follow
		}
		left = append(left, r.without(cut)...)
	}
	return left
}

// without returns r less the ranges of cut, which are merged and do not end
// before r starts.
func (r Range) without(cut []Range) []Range {
	var left []Range
	for _, c := range cut {
		if r.last.Less(c.first) {
			break
		}
		if r.first.Less(c.first) {
			left = append(left, Range{r.first, c.first.Prev()})
		}
		if !c.last.Less(r.last) {
			return left
		}
		r.first = c.last.Next()
	}
	return append(left, r)
}

// reaches reports whether s, which does not start before r, overlaps r or
// starts right after it.
func (r Range) reaches(s Range) bool {
	return r.Overlaps(s) || (r.Is4() == s.Is4() && r.last.Next() == s.first)
}

// later returns the range that ends later.
func later(r, s Range) Range {
	if r.last.Less(s.last) {
		return s
	}
	return r
}
