package publish

import (
	"testing"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

// A life that ends in order says so in a message without an item, behind all that it made. The control is a life that says nothing,
// and one that made nothing has nothing to say.
func TestOfferEnd(t *testing.T) {
	for name, c := range map[string]struct{ makes, ends, tells bool }{
		"a stop": {true, true, true}, "a life that says nothing": {true, false, false}, "a life that made nothing": {false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			nc := logtest.Serve(t)
			p := newPublisher(t, nc, Config{})
			if c.makes {
				offer(t, p, snapshot(10), events(schema.KindSpawn, 3))
			}
			if c.ends {
				if err := OfferEnd(p, 7, 8); err != nil {
					t.Fatal(err)
				}
			}
			runToEnd(t, p)
			told := false
			for _, raw := range logtest.Stored(t, nc, schema.StreamEvents) {
				m := logtest.Decode(t, raw.Header, raw.Data)
				told = len(m.Ended) == 1 && m.Ended[0].Final && m.Ended[0].Instance == m.Instance && m.Count() == 0 && m.Produced == 4
			}
			if told != c.tells {
				t.Errorf("the last message tells of the end: %v, want %v", told, c.tells)
			}
			if s := p.Stats(); c.makes && (s.Produced != 4 || s.Acked != 4) {
				t.Errorf("the end counts as an item: %+v", s)
			}
		})
	}
}
