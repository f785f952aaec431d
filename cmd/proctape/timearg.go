package main

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time as people write it: "2026-11-23 03:10", "03:10", "yesterday 14:00", "-15m" or "3h" (that long
// ago), "now", and Unix seconds such as 1.7e9. Times without a zone are now's.
func parseTime(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	t, ok := readTime(s, now)
	// Outside of these years nothing was recorded, and some have no Unix nanoseconds.
	if y := t.Year(); !ok || y < 1970 || y > 2261 {
		return time.Time{}, hinted(misuse("%q is not a time", s),
			`write it as -15m, 3h, 2d, "2026-11-23 03:10", 03:10, "yesterday 14:00", or Unix seconds`)
	}
	return t, nil
}

// timeFlag reads the time that a flag has; the zero time when it is empty.
func timeFlag(name, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := parseTime(value, now)
	if err != nil {
		return t, hinted(misuse("--%s: %w", name, err), "%s", hintOf(err))
	}
	return t, nil
}

// checkOrder refuses a range whose end, which --until names, is not after its begin, which the flag of that name names. A
// zero time is a begin or an end that was not named.
func checkOrder(name string, begin, end time.Time) error {
	if end.IsZero() || end.After(begin) {
		return nil
	}
	const layout = "2006-01-02 15:04:05"
	return hinted(misuse("--until is not after --%s", name), "--%s means %s, and --until %s", name,
		begin.Local().Format(layout), end.Local().Format(layout))
}

// readTime reads a time in any of the ways that parseTime knows.
func readTime(s string, now time.Time) (time.Time, bool) {
	if s == "now" {
		return now, true
	}
	if d, ok := parseAgo(s); ok {
		return now.Add(-d), true
	}
	if t, ok := parseDay(s, now); ok {
		return t, true
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, true
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	// From about a year after 1970 on a number is meant as a date; a smaller one is a mistake.
	if f, ok := parseNumber(s); ok && f > 3.2e7 && f < 9e9 {
		return time.Unix(0, int64(f*1e9)), true
	}
	return time.Time{}, false
}

// parseNumber reads a decimal number without a sign.
func parseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789.e") != "" { // "inf", "nan", "0x1p30", "+1"
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// parseAgo reads a duration, also in days and weeks, with or without a minus sign or "ago".
func parseAgo(s string) (time.Duration, bool) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, "-"), "ago"))
	if s == "0" || strings.HasPrefix(s, "+") { // 0 means the first second of 1970, and + means the future
		return 0, false
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if n := len(s) - 1; n > 0 && unit[s[n]] != 0 {
		f, ok := parseNumber(s[:n])
		d := f * float64(unit[s[n]])
		return time.Duration(d), ok && d < math.MaxInt64
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
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
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location()), true
		}
	}
	return time.Time{}, false
}
