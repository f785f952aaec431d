package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNumber bounds numbers that are summed over messages, so that no sum overflows. At a million a second it lasts for
// 285 years.
const maxNumber = 1 << 53

// each validates the elements of a list that must hold 1 to limit of them.
func each[T any](name string, list []T, limit int, validate func(*T) error) error {
	if len(list) == 0 {
		return fmt.Errorf("no %s", name)
	}
	return eachOf(name, list, limit, validate)
}

// eachOf is each for a list that may be empty.
func eachOf[T any](name string, list []T, limit int, validate func(*T) error) error {
	if len(list) > limit {
		return fmt.Errorf("%d times %s, the limit is %d", len(list), name, limit)
	}
	for i := range list {
		if err := validate(&list[i]); err != nil {
			return fmt.Errorf("%s %d: %w", name, i, err)
		}
	}
	return nil
}

// text checks a string that goes into a table: its length, that it is UTF-8 and has no NUL.
func text(name, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%s of %d bytes, the limit is %d", name, len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %.80q is not UTF-8", name, s)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%s %.80q holds a NUL", name, s)
	}
	return nil
}

func letter(s string) bool {
	return len(s) == 1 && (s[0] >= 'A' && s[0] <= 'Z' || s[0] >= 'a' && s[0] <= 'z')
}

// maxSum is where sums stop: two of them still add up, and so does the double of one.
const maxSum = 1 << 61

// AddSaturated adds two numbers of which neither is negative. A sum that would be above 2^61 stays there: it says "at least".
func AddSaturated(a, b int64) int64 {
	if a > maxSum-min(b, maxSum) {
		return maxSum
	}
	return a + b
}

// addWithin adds two numbers that are within a minute's bounds. A sum beyond 2^61 stays there, on either side of 0.
func addWithin(a, b int64) int64 {
	within := func(v int64) int64 { return min(max(v, -maxSum), maxSum) }
	return within(within(a) + within(b))
}

// MaxSum is where sums over messages stop.
const MaxSum = maxSum
