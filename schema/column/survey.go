package column

// Survey is what one pass over a column tells of it.
type Survey struct {
	all  int64  // the bits of all values; below 0 where one is
	more uint64 // the bits of all values plus one, of which Unknown has none, and any other below 0 has the highest
	runs int    // of values that are alike
}

// SurveyOf surveys a column.
func SurveyOf(values []int64) (s Survey) {
	if len(values) == 0 {
		return s
	}
	first, alike := values[0], 1
	for alike < len(values) && values[alike] == first {
		alike++
	}
	all, more, runs, before := first, uint64(first-Unknown), 1, first
	for _, v := range values[alike:] {
		all |= v
		more |= uint64(v - Unknown)
		differ := uint64(v ^ before)
		runs += int((differ | -differ) >> 63) // 1 where it differs: no processor foresees that
		before = v
	}
	return Survey{all, more, runs}
}

// Within reports that all values are 0 to most, or unknown in a column that is nullable. It is true of most columns whose values are. It
// goes by the bits of all values together, so of values close to most it may be false: look closer then.
func (s Survey) Within(most int64, nullable bool) bool {
	return s.more <= uint64(most-Unknown) && (nullable || s.all >= 0)
}
