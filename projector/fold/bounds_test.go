package fold

import (
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// A message of a time that no clock tells is set aside, and its numbers are known. The control is the same message of now.
func TestDelivery_TimesThatNoClockTells(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		wall int64
		want string
	}{
		"now":               {now.UnixNano(), ""},
		"a second of 1970":  {second, "wall_ns 1000000000 is out of range"},
		"in nine years":     {now.AddDate(9, 0, 0).UnixNano(), ""},
		"in eleven years":   {now.AddDate(11, 0, 0).UnixNano(), "is out of range"},
		"the largest of 64": {1<<63 - 1, ""}, // no codec writes it
	} {
		t.Run(name, func(t *testing.T) {
			m := messages()[0]
			m.Wall = test.wall
			payload, _, err := schema.Encode(nil, m)
			if err != nil {
				if !strings.Contains(err.Error(), "wall_ns") {
					t.Fatal(err)
				}
				return
			}
			d := &Delivery{Stream: schema.StreamSnapshots, Seq: 1, Stored: now, Subject: schema.Subject(m.Host, m.Kind), Payload: payload,
				Header: Header{schema.HeaderID: {m.ID()}}}
			d.Decode()
			switch {
			case test.want == "" && d.Poison != nil:
				t.Errorf("set aside: %v", d.Poison.Err)
			case test.want != "" && (d.Poison == nil || !strings.Contains(d.Poison.Err.Error(), test.want)):
				t.Errorf("got %+v, want it set aside: %s", d.Poison, test.want)
			case d.Numbers == nil:
				t.Error("its numbers are not known")
			}
		})
	}
}
