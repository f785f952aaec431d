package main

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeText is the value of a flag that takes a time. An empty one is refused, as it would ask for everything.
type timeText string

// String is the text as it was given.
func (t *timeText) String() string { return string(*t) }

// Type is what help and errors call it.
func (t *timeText) Type() string { return "time" }

// Set takes the text. [timeFlag] reads it.
func (t *timeText) Set(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("it is empty")
	}
	*t = timeText(s)
	return nil
}

// timeForms is the hint of a time that cannot be read.
const timeForms = `write it as -15m, 3h, 2d, "10 minutes ago", "2026-11-23 03:10", 03:10, "yesterday 14:00", with or without UTC or +01:00, or Unix seconds`

// parseTime reads a time as people write it: "2026-11-23 03:10", "03:10", "yesterday 14:00", each with or without "UTC" or
// "+01:00" behind it, "-15m", "3h" or "10 minutes ago", "now", and Unix seconds such as 1.7e9 or @1795745553. Times without a
// zone are now's. 0 is the beginning of all.
func parseTime(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	t, ok := readTime(s, now)
	// Outside of these years nothing was recorded, and some have no Unix nanoseconds.
	if y := t.UTC().Year(); !ok || y < 1970 || y > 2261 {
		return time.Time{}, hinted(misuse("%q is not a time", s), "%s", timeForms)
	}
	return t, nil
}

// timeFlag reads the time that a flag has; the zero time when it is empty. Of an hour that a night in autumn has twice it is the first, and
// for --until the second: what was written then lies between the two.
func timeFlag(name, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := parseTime(value, now)
	if err != nil {
		return t, hinted(misuse("--%s: %w", name, err), "%s", hintOf(err))
	}
	if name == "until" && isOfClock(value, now) {
		t = sameClock(t, time.Hour)
	}
	return t, nil
}

// isOfClock reports whether a time is written as a clock of the local zone shows it, so that it may be one of two.
func isOfClock(s string, now time.Time) bool {
	rest, zoned := cutZone(strings.TrimSpace(s), now)
	return strings.Contains(rest, ":") && zoned.Location() == now.Location()
}

// sameClock is the time that is so much later when the local clock shows the same then, and else the time itself.
func sameClock(t time.Time, later time.Duration) time.Time {
	const clock = "2006-01-02 15:04:05.999999999"
	if other := t.Add(later); other.Format(clock) == t.Format(clock) {
		return other
	}
	return t
}

// checkOrder refuses a range whose end, which --until names, is not after its begin, which the flag of that name names. A
// zero time is a begin or an end that was not named.
func checkOrder(name string, begin, end time.Time) error {
	if end.IsZero() || end.After(begin) {
		return nil
	}
	return hinted(misuse("--until is not after --%s", name), "--%s means %s, and --until %s", name,
		begin.Local().Format(timeLayout), end.Local().Format(timeLayout))
}

// readTime reads a time in any of the ways that parseTime knows.
func readTime(s string, now time.Time) (time.Time, bool) {
	if s == "now" {
		return now, true
	}
	if s == "0" {
		return time.Unix(0, 0), true
	}
	if seconds, marked := strings.CutPrefix(s, "@"); marked {
		f, ok := parseNumber(seconds)
		return time.Unix(0, int64(f*1e9)), ok && f < 9e9
	}
	if d, ok := parseAgo(s); ok {
		return now.Add(-d), true
	}
	s, now = cutZone(s, now)
	if t, ok := parseDay(s, now); ok {
		return sameClock(t, -time.Hour), true
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return sameClock(t, -time.Hour), true
		}
	}
	// From about a year after 1970 on a number is meant as a date; a smaller one is a mistake.
	if f, ok := parseNumber(s); ok && f > 3.2e7 && f < 9e9 {
		return time.Unix(0, int64(f*1e9)), true
	}
	return time.Time{}, false
}

// cutZone cuts the zone off a time that names one, and returns now in it.
func cutZone(s string, now time.Time) (string, time.Time) {
	upper := strings.ToUpper(s)
	for _, name := range []string{" UTC", " GMT", "UTC", "GMT", " Z", "Z"} {
		if rest, ok := strings.CutSuffix(upper, name); ok && len(rest) > 1 {
			return strings.TrimSpace(s[:len(rest)]), now.UTC()
		}
	}
	if i := strings.LastIndexByte(s, ' '); i > 0 && strings.Contains(s[i:], "/") {
		if zone, err := time.LoadLocation(s[i+1:]); err == nil {
			return s[:i], now.In(zone)
		}
	}
	m := offsetPattern.FindStringSubmatch(s)
	if m == nil {
		return s, now
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if t, err := time.Parse(layout, m[2]); err == nil {
			return m[1], now.In(t.Location())
		}
	}
	return s, now
}

// offsetPattern is a time of day with an offset from UTC behind it.
var offsetPattern = regexp.MustCompile(`^(.*\d:\d\d(?::\d\d(?:\.\d+)?)?) ?([+-]\d\d(?::?\d\d)?)$`)

// parseNumber reads a decimal number without a sign.
func parseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789.e") != "" { // "inf", "nan", "0x1p30", "+1"
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// timeUnits are the words for spans of time, in full, in the plural and shortened. A month has 30 days and a year 365.
var timeUnits = map[string]time.Duration{
	"ns": 1, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "day": day, "days": day, "w": 7 * day, "week": 7 * day, "weeks": 7 * day,
	"mo": 30 * day, "month": 30 * day, "months": 30 * day, "y": 365 * day, "yr": 365 * day, "year": 365 * day, "years": 365 * day,
}

const day = 24 * time.Hour

var spanPattern = regexp.MustCompile(`^(\d+(?:\.\d*)?|\.\d+|an?\b) ?([a-zµ]+)(?:, | and | )?`)

// parseAgo reads how long ago something was: numbers and units, with or without a minus sign or "ago".
func parseAgo(s string) (time.Duration, bool) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(s, "-"), "ago"))
	if s == "" {
		return 0, false
	}
	var sum float64
	for s != "" {
		m := spanPattern.FindStringSubmatch(s)
		if m == nil || timeUnits[m[2]] == 0 {
			return 0, false
		}
		n, ok := parseNumber(m[1])
		if strings.HasPrefix(m[1], "a") {
			n, ok = 1, true
		}
		if sum += n * float64(timeUnits[m[2]]); !ok || sum >= math.MaxInt64 {
			return 0, false
		}
		s = s[len(m[0]):]
	}
	return time.Duration(sum), true
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
