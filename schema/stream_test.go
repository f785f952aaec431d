package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// policies are the default one and ones at the edges.
var policies = map[string]Policy{
	"default": {},
	"least":   {FullResolution: time.Hour, Downsampled: 24 * time.Hour, Events: 24 * time.Hour, MaxLogBytes: 64 << 20},
	"years":   {FullResolution: 365 * 24 * time.Hour, Downsampled: 10 * 365 * 24 * time.Hour, Events: 10 * 365 * 24 * time.Hour, MaxLogBytes: 1 << 40},
}

func TestStreams(t *testing.T) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			full := policy.WithDefaults()
			kept := map[string]time.Duration{StreamSnapshots: full.FullResolution, StreamEvents: full.Events, StreamRollups: full.Downsampled, StreamHistory: full.Runs, StreamOps: 0}
			streams := Streams(policy, 0)
			var total int64
			for _, s := range streams {
				total += s.MaxBytes
				age, known := kept[s.Name]
				switch {
				case !known:
					t.Errorf("%s: no such stream", s.Name)
				case s.MaxBytes <= 0:
					t.Errorf("%s: got MaxBytes %d, want a limit", s.Name, s.MaxBytes)
				case s.Name == StreamOps && s.MaxAge != 0:
					t.Errorf("%s: got MaxAge %v, want none: a schedule would age out", s.Name, s.MaxAge)
				case s.Name != StreamOps && s.MaxAge <= age:
					t.Errorf("%s: got MaxAge %v, want more than the policy's %v", s.Name, s.MaxAge, age)
				case s.MaxAge != 0 && s.Duplicates > s.MaxAge:
					t.Errorf("%s: got Duplicates %v, want at most MaxAge %v", s.Name, s.Duplicates, s.MaxAge)
				case s.Storage != jetstream.FileStorage || s.Retention != jetstream.LimitsPolicy || s.Discard != jetstream.DiscardOld:
					t.Errorf("%s: got storage %v, retention %v, discard %v, want file, limits, old", s.Name, s.Storage, s.Retention, s.Discard)
				case s.Replicas != 1:
					t.Errorf("%s: got %d replicas, want 1", s.Name, s.Replicas)
				}
			}
			if len(streams) != len(kept) {
				t.Errorf("got %d streams, want %d", len(streams), len(kept))
			}
			if total > full.MaxLogBytes {
				t.Errorf("got %d bytes together, want at most %d", total, full.MaxLogBytes)
			}
		})
	}
}

func TestStreams_Replicas(t *testing.T) {
	for _, s := range Streams(Policy{}, 3) {
		if s.Replicas != 3 {
			t.Errorf("%s: got %d replicas, want 3", s.Name, s.Replicas)
		}
	}
}

// matches reports whether a NATS filter matches a subject, or overlaps with another filter.
func matches(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if x[i] == ">" || y[i] == ">" {
			return true
		}
		if x[i] != y[i] && x[i] != "*" && y[i] != "*" {
			return false
		}
	}
	return len(x) == len(y)
}

func TestStreams_SubjectsDoNotOverlap(t *testing.T) {
	var all []string
	for _, s := range Streams(Policy{}, 1) {
		for _, subject := range s.Subjects {
			for _, other := range all {
				if matches(subject, other) {
					t.Errorf("%s overlaps with %s", subject, other)
				}
			}
			all = append(all, subject)
		}
	}
}

// Every kind is kept by the stream that StreamFor says, and by no other.
func TestStreams_KeepEveryKind(t *testing.T) {
	for _, e := range examples() {
		subject := Subject(e.m.Host, e.m.Kind)
		var keep []string
		for _, s := range Streams(Policy{}, 1) {
			for _, filter := range s.Subjects {
				if matches(filter, subject) {
					keep = append(keep, s.Name)
				}
			}
		}
		if len(keep) != 1 || keep[0] != StreamFor(e.m.Kind) {
			t.Errorf("%s: kept by %v, want %s", subject, keep, StreamFor(e.m.Kind))
		}
	}
}

func TestConsumer(t *testing.T) {
	c := Consumer("0123abcd")
	if c.Durable != "projector-0123abcd" || c.AckPolicy != jetstream.AckAllPolicy || c.MaxDeliver != -1 || c.MaxAckPending != -1 {
		t.Errorf("got %+v, want a durable that is never given up on", c)
	}
}
