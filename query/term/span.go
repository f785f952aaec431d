package term

import (
	"fmt"
	"math"
)

// Span shows a length of time in seconds, as a person reads it: 0.42s, 21.5s, 6m22s, 13h07m, 9d04h.
func Span(seconds float64) string {
	n := int64(math.Round(seconds))
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.2fs", seconds)
	case n < 60:
		return fmt.Sprintf("%.1fs", seconds)
	case n < 3600:
		return fmt.Sprintf("%dm%02ds", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%dh%02dm", n/3600, n/60%60)
	}
	return fmt.Sprintf("%dd%02dh", n/86400, n/3600%24)
}
