package main

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time as people write it: "2026-11-23 03:10", "03:10", "yesterday 14:00", "-15m" or "3h" (that long
// ago), "now", and Unix seconds such as 1.7e9. Times without a zone are now's.
func parseTime(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "now" {
		return now, nil
	}
	if d, err := parseAgo(s); err == nil {
		return now.Add(-d), nil
	}
	if t, ok := parseDay(s, now); ok {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	// Above a year's worth of seconds it is a date, below it a slip.
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 3.2e7 && f < 9e9 {
		return time.Unix(0, int64(f*1e9)), nil
	}
	return time.Time{}, hinted(misuse("%q is no time", s),
		`write it as -15m, 3h, 2d, "2026-11-23 03:10", 03:10, "yesterday 14:00", or Unix seconds`)
}

// parseAgo reads a duration, with days and weeks too, and a minus sign or "ago" if one likes.
func parseAgo(s string) (time.Duration, error) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, "-"), "ago"))
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if n := len(s) - 1; n > 0 && unit[s[n]] != 0 {
		f, err := strconv.ParseFloat(s[:n], 64)
		if err != nil || f < 0 || f > 36500 {
			return 0, misuse("%q is no duration", s)
		}
		return time.Duration(f * float64(unit[s[n]])), nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = misuse("%q is no duration", s)
	}
	return d, err
}

// parseDay reads "today", "yesterday" and a time of day behind either or alone.
func parseDay(s string, now time.Time) (time.Time, bool) {
	day, clock, _ := strings.Cut(s, " ")
	y, m, d := now.Date()
	switch day {
	case "today":
	case "yesterday":
		d--
	default:
		day, clock = "", s
	}
	if clock == "" {
		return time.Date(y, m, d, 0, 0, 0, 0, now.Location()), day != ""
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, clock); err == nil {
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), true
		}
	}
	return time.Time{}, false
}
