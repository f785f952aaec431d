package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones, on machines without them too

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/query"
)

// berlin is a zone of its own, so that a time in UTC by mistake is seen.
var berlin = time.FixedZone("berlin", 3600)

// atNoon is when the tests' people write their times.
var atNoon = time.Date(2026, 11, 23, 12, 0, 0, 0, berlin)

func TestParseTime(t *testing.T) {
	local := func(y int, m time.Month, d, hour, minute, sec int) time.Time {
		return time.Date(y, m, d, hour, minute, sec, 0, berlin)
	}
	for _, c := range []struct {
		in   string
		want time.Time
	}{
		{"now", atNoon},
		{"2026-11-23 03:10", local(2026, 11, 23, 3, 10, 0)},
		{"2026-11-23 03:10:05", local(2026, 11, 23, 3, 10, 5)},
		{"2026-11-23T03:10", local(2026, 11, 23, 3, 10, 0)},
		{"2026-11-23T03:10:05", local(2026, 11, 23, 3, 10, 5)},
		{"2026-11-23 03:10:05.25", local(2026, 11, 23, 3, 10, 5).Add(250 * time.Millisecond)},
		{"2026-11-23", local(2026, 11, 23, 0, 0, 0)},
		{"2024-02-29", local(2024, 2, 29, 0, 0, 0)},
		{"2026-11-23T03:10:00Z", time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)},
		{"2026-11-23T03:10:00.5+05:30", time.Date(2026, 11, 22, 21, 40, 0, 5e8, time.UTC)},
		{"03:10", local(2026, 11, 23, 3, 10, 0)},
		{"3:10", local(2026, 11, 23, 3, 10, 0)},
		{"03:10:05", local(2026, 11, 23, 3, 10, 5)},
		{"03:10:05.5", local(2026, 11, 23, 3, 10, 5).Add(500 * time.Millisecond)},
		{"today", local(2026, 11, 23, 0, 0, 0)},
		{"today 03:10", local(2026, 11, 23, 3, 10, 0)},
		{"yesterday", local(2026, 11, 22, 0, 0, 0)},
		{"yesterday 14:00", local(2026, 11, 22, 14, 0, 0)},
		{"-15m", atNoon.Add(-15 * time.Minute)},
		{"3h", atNoon.Add(-3 * time.Hour)},
		{"1h30m", atNoon.Add(-90 * time.Minute)},
		{"90m ago", atNoon.Add(-90 * time.Minute)},
		{"-90m ago", atNoon.Add(-90 * time.Minute)},
		{"0s", atNoon},
		{"2d", atNoon.Add(-48 * time.Hour)},
		{"1.5d", atNoon.Add(-36 * time.Hour)},
		{"1w", atNoon.Add(-7 * 24 * time.Hour)},
		{"2d ago", atNoon.Add(-48 * time.Hour)},
		{"  -15m ", atNoon.Add(-15 * time.Minute)},
		{"1d12h", atNoon.Add(-36 * time.Hour)},
		{"10 minutes ago", atNoon.Add(-10 * time.Minute)},
		{"1 hour and 30 minutes ago", atNoon.Add(-90 * time.Minute)},
		{"an hour ago", atNoon.Add(-time.Hour)},
		{"1y", atNoon.Add(-365 * 24 * time.Hour)},
		{"2 months ago", atNoon.Add(-60 * 24 * time.Hour)},
		{"0", time.Unix(0, 0)},
		{"@1795745553", time.Unix(1_795_745_553, 0)},
		{"@0", time.Unix(0, 0)},
		{"2026-11-23 03:10 UTC", time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)},
		{"03:10 UTC", time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)},
		{"03:10Z", time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)},
		{"yesterday 14:00 +02:00", time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)},
		{"2026-11-23 03:10:00+01:00", local(2026, 11, 23, 3, 10, 0)},
		{"2026-11-23 03:10 America/New_York", time.Date(2026, 11, 23, 8, 10, 0, 0, time.UTC)},
		{"1.7e9", time.Unix(1_700_000_000, 0)},
		{"1700000000", time.Unix(1_700_000_000, 0)},
		{"1700000000.5", time.Unix(1_700_000_000, 5e8)},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := parseTime(c.in, atNoon)
			if err != nil || !got.Equal(c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestParseTime_Refuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                  "",
		"blanks":                   "  ",
		"a minus":                  "-",
		"ago alone":                "ago",
		"an unknown unit":          "5parsecs",
		"no unit":                  "15",
		"two minuses":              "--5m",
		"two minuses and days":     "--5d",
		"minus and plus":           "-+5m",
		"ahead":                    "+5m",
		"days ahead":               "+2d",
		"a unit alone":             "d",
		"hour 25":                  "25:00",
		"minute 60":                "12:60",
		"yesterday's hour 25":      "yesterday 25:00",
		"yesterday and nonsense":   "yesterday noon",
		"tomorrow":                 "tomorrow",
		"month 13":                 "2026-13-01",
		"the 30th of February":     "2026-02-30",
		"no leap year":             "2026-02-29",
		"words behind a date":      "2026-11-23 03:10 sharp",
		"a date in digits":         "20261123",
		"minus zero":               "-0",
		"few seconds":              "3600",
		"milliseconds":             "1700000000000",
		"too large":                "1e400",
		"inf":                      "inf",
		"infinity":                 "-Infinity",
		"NaN":                      "NaN",
		"NaN days":                 "NaNd",
		"NaN weeks":                "nanw",
		"inf days":                 "infd",
		"hexadecimal":              "0x1p30",
		"more weeks than fit":      "36500w",
		"more days than fit":       "200000d",
		"more hours than fit":      "99999999999h",
		"before anything":          "1969-12-31",
		"the year 1":               "0001-01-01",
		"the end of time":          "9999-12-31",
		"a time before anything":   "0001-01-01T00:00:00Z",
		"a duration before 1970":   "1000000h",
		"a duration in days, same": "36500d",
		"a zone that is none":      "2026-11-23 03:10 Mars/Olympus",
		"a zone alone":             "UTC",
		"an at alone":              "@",
		"a year 9999 at":           "@253402300799",
		"a unit without a number":  "1 hour minutes",
		"a NUL":                    "3h\x00",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseTime(in, atNoon)
			if err == nil {
				t.Fatalf("got %v, want an error", got)
			}
			if !got.IsZero() {
				t.Errorf("got %v beside the error", got)
			}
			if hintOf(err) == "" {
				t.Errorf("got %v without a hint", err)
			}
		})
	}
}

// Times of day are those of the clock on the wall, also on the days on which it is changed.
func TestParseTime_DaylightSaving(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 12, 0, 0, 0, zone) // the clock went from 2 to 3 in the night
	for in, want := range map[string]time.Time{
		"yesterday 12:00": time.Date(2026, 3, 28, 11, 0, 0, 0, time.UTC),
		"01:30":           time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC),
		"04:00":           time.Date(2026, 3, 29, 2, 0, 0, 0, time.UTC),
		"1d":              time.Date(2026, 3, 28, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTime(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", in, got, err, want)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"now", "-15m", "1.7e9", "2026-11-23 03:10", "yesterday 14:00", "1w", "NaNd", "36500w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime(s, atNoon)
		if err != nil {
			return
		}
		if y := got.Year(); y < 1970 || y > 2261 {
			t.Errorf("got %v", got)
		}
		if back := time.Unix(0, got.UnixNano()); !back.Equal(got) {
			t.Errorf("got %v, which is %v in nanoseconds", got, back)
		}
	})
}

func TestListing_Span(t *testing.T) {
	for _, c := range []struct {
		name string
		l    listing
		want query.Range
	}{
		{"nothing asked", listing{limit: 100}, query.Range{Limit: 101, Newest: true}},
		{"no limit", listing{}, query.Range{Newest: true}},
		{"since", listing{limit: 5, since: "1.7e9"}, query.Range{Since: 1.7e9, Limit: 6}},
		{"since, the newest", listing{limit: 5, since: "1.7e9", newest: true}, query.Range{Since: 1.7e9, Limit: 6, Newest: true}},
		{"until", listing{limit: 5, until: "1.7e9"}, query.Range{Until: 1.7e9, Limit: 6, Newest: true}},
		{"both", listing{since: "1.7e9", until: "1700000001", host: "alpha"}, query.Range{Since: 1.7e9, Until: 1.7e9 + 1, Host: "alpha"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.l.timeRange()
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestListing_SpanRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		l    listing
		want string
	}{
		{"a negative limit", listing{limit: -1}, "--limit -1"},
		{"a since that is not a time", listing{since: "soon"}, `--since: "soon" is not a time`},
		{"an until that is not a time", listing{until: "soon"}, `--until: "soon" is not a time`},
		{"an end before the start", listing{since: "1700000001", until: "1.7e9"}, "--until is not after --since"},
		{"an end at the start", listing{since: "1.7e9", until: "1.7e9"}, "--until is not after --since"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.l.timeRange()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit int
		r     query.Range
		items string
		want  string
		note  string
	}{
		{"fewer than the limit", 3, query.Range{}, "ab", "ab", ""},
		{"as many as the limit", 2, query.Range{}, "ab", "ab", ""},
		{"more", 2, query.Range{}, "abc", "ab", "there are newer ones"},
		{"more, the newest", 2, query.Range{Newest: true}, "abc", "bc", "there are older ones"},
		{"no limit", 0, query.Range{}, "abc", "abc", ""},
		{"none", 2, query.Range{}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr bytes.Buffer
			cmd := new(cobra.Command)
			cmd.SetErr(&stderr)
			got := withinLimit(cmd, &listing{limit: c.limit}, c.r, []byte(c.items))
			if string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.note == "" && stderr.Len() > 0 || !strings.Contains(stderr.String(), c.note) {
				t.Errorf("got the note %q, want %q", stderr.String(), c.note)
			}
		})
	}
}

func TestTable_Aligns(t *testing.T) {
	var b bytes.Buffer
	table := newTable(&b, "PID\tCOMMAND")
	table.row("%d\t%s", 4242, "sleep")
	table.row("%d\t%s", 7, printable("sh\x1b[2J"))
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	want := "PID   COMMAND\n4242  sleep\n7     sh\\x1b[2J\n"
	if b.String() != want {
		t.Errorf("got\n%s, want\n%s", b.String(), want)
	}
}

func TestPrintJSON_OneObjectALine(t *testing.T) {
	var b bytes.Buffer
	if err := printJSON(&b, []map[string]string{{"command": "a <b> & c"}, {"command": "x\ny"}}); err != nil {
		t.Fatal(err)
	}
	want := "{\"command\":\"a <b> & c\"}\n{\"command\":\"x\\ny\"}\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	if err := printJSON(failing{}, []int{1}); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}

var errFull = errors.New("no space left")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// TestTimeFlag_HourThatComesTwice reads times of the night in autumn in which an hour comes twice, and in spring in which one is left out.
func TestTimeFlag_HourThatComesTwice(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	utc := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, time.UTC)
	}
	now := time.Date(2026, 10, 25, 12, 0, 0, 0, zone)
	for _, c := range []struct {
		flag, in string
		want     time.Time
	}{
		{"since", "2026-10-25 02:30", utc(10, 25, 0, 30)},
		{"until", "2026-10-25 02:30", utc(10, 25, 1, 30)},
		{"at", "02:30", utc(10, 25, 0, 30)},
		{"until", "today 02:30", utc(10, 25, 1, 30)},
		{"until", "02:30:00", utc(10, 25, 1, 30)},
		{"since", "2026-10-25 02:30+01:00", utc(10, 25, 1, 30)},
		{"until", "2026-10-25 02:30+02:00", utc(10, 25, 0, 30)},
		{"until", "2026-10-25 00:30 UTC", utc(10, 25, 0, 30)},
		{"until", "@1792888200", utc(10, 25, 0, 30)},
		{"until", "1792888200", utc(10, 25, 0, 30)},
		{"until", "2026-10-25 03:30", utc(10, 25, 2, 30)},
		{"until", "2026-10-25 01:59", utc(10, 24, 23, 59)},
		{"until", "2026-03-29 03:30", utc(3, 29, 1, 30)},
	} {
		got, err := timeFlag(c.flag, c.in, now)
		if err != nil || !got.Equal(c.want) {
			t.Errorf("--%s %q is %v, %v; want %v", c.flag, c.in, got.UTC(), err, c.want)
		}
	}
	if got, err := timeFlag("until", "570m", now); err != nil || !got.Equal(utc(10, 25, 1, 30)) {
		t.Errorf("a span is %v, %v", got.UTC(), err)
	}
}
