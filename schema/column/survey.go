package column

// Survey is what one pass over a column tells of it.
type Survey struct {
	least, most int64
	runs        int  // of values that are alike
	divides     bool // every known value divides by 4
}

// SurveyOf surveys a column.
func SurveyOf(values []int64) Survey {
	if len(values) == 0 {
		return Survey{divides: true}
	}
	first := values[0]
	same := 1
	for same < len(values) && values[same] == first {
		same++
	}
	s := Survey{least: first, most: first, runs: 1}
	before, low := first, first&^(first>>63)
	for _, v := range values[same:] {
		s.least, s.most = min(s.least, v), max(s.most, v)
		low |= v &^ (v >> 63) // what is unknown has no bits
		if v != before {
			s.runs++
		}
		before = v
	}
	s.divides = low&3 == 0
	return s
}

// Within reports whether all values are from least to most.
func (s Survey) Within(least, most int64) bool { return s.least >= least && s.most <= most }
