package fold

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// A message of a time that no clock tells is set aside, and its numbers are known. The control is the same message of now.
func TestDelivery_TimesThatNoClockTells(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	if wrong := wrongTimes(t, now, func(time.Time) time.Time { return now }); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	// The control compares the message with its own clock.
	if wrong := wrongTimes(t, now, func(wall time.Time) time.Time { return wall }); len(wrong) != 1 || !strings.HasPrefix(wrong[0], "in eleven years") {
		t.Errorf("a check that believes the host's clock is wrong about what is in eleven years. These were found: %q", wrong)
	}
}

// wrongTimes are those of a host's times that are taken in and should not be, or the other way, where the log took their message at stored.
func wrongTimes(t *testing.T, now time.Time, stored func(wall time.Time) time.Time) (wrong []string) {
	for _, test := range []struct {
		name string
		wall time.Time
		want string
	}{
		{"now", now, ""},
		{"a second of 1970", time.Unix(1, 0), "wall_ns 1000000000 is out of range"},
		{"the last of 1999", time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), "is out of range"},
		{"in nine years", now.AddDate(9, 0, 0), ""},
		{"in eleven years", now.AddDate(11, 0, 0), "is out of range"},
	} {
		m := messages()[0]
		m.Wall = test.wall.UnixNano()
		payload, _, err := schema.Encode(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		d := &Delivery{Stream: schema.StreamSnapshots, Seq: 1, Stored: stored(test.wall), Subject: schema.Subject(m.Host, m.Kind), Payload: payload,
			Header: Header{schema.HeaderID: {m.ID()}}}
		d.Decode()
		switch {
		case test.want == "" && d.Poison != nil:
			wrong = append(wrong, fmt.Sprintf("%s: set aside: %v", test.name, d.Poison.Err))
		case test.want != "" && (d.Poison == nil || !strings.Contains(d.Poison.Err.Error(), test.want)):
			wrong = append(wrong, fmt.Sprintf("%s: got %+v, want it set aside: %s", test.name, d.Poison, test.want))
		case d.Numbers == nil:
			wrong = append(wrong, test.name+": its numbers are not known")
		}
	}
	m := messages()[0]
	m.Wall = 1<<63 - 1
	if _, _, err := schema.Encode(nil, m); err == nil || !strings.Contains(err.Error(), "wall_ns") {
		wrong = append(wrong, fmt.Sprintf("the largest of 64 bits: no codec should write it, got %v", err))
	}
	return wrong
}
