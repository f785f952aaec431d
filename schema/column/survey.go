package column

// Survey is what one pass over a column tells of it.
type Survey struct {
	all  int64  // the bits of all values; below 0 where one is
	most uint64 // the largest value, plus one: that of Unknown is 0, and any other below 0 is larger than all that are known
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
	s = Survey{first, uint64(first - Unknown), 1}
	before := first
	for _, v := range values[alike:] {
		s.all |= v
		s.most = max(s.most, uint64(v-Unknown))
		if v != before {
			s.runs++
		}
		before = v
	}
	return s
}

// Within reports whether all values are 0 to most, or unknown in a column that is nullable.
func (s Survey) Within(most int64, nullable bool) bool {
	return s.most <= uint64(most-Unknown) && (nullable || s.all >= 0)
}
