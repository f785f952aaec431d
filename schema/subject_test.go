package schema

import (
	"strings"
	"testing"
)

func TestSubject(t *testing.T) {
	tests := []struct {
		host string
		kind Kind
		want string
	}{
		{"build-07", KindSnapshot, "proctape.v1.build-07.snapshot"},
		{"a", KindExit, "proctape.v1.a.event.exit"},
		{"A_9", KindGap, "proctape.v1.A_9.event.gap"},
		{"h", KindJob, "proctape.v1.h.job"},
		{"h", KindRollup, "proctape.v1.h.rollup"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			if got := Subject(test.host, test.kind); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			host, kind, err := ParseSubject(test.want)
			if err != nil || host != test.host || kind != test.kind {
				t.Errorf("parsed: got %q, %q, %v, want %q, %q", host, kind, err, test.host, test.kind)
			}
		})
	}
}

func TestParseSubject_Refuses(t *testing.T) {
	for name, subject := range map[string]string{
		"nothing":        "",
		"prefix alone":   "proctape.v1.",
		"no kind":        "proctape.v1.host",
		"empty kind":     "proctape.v1.host.",
		"empty host":     "proctape.v1..snapshot",
		"other version":  "proctape.v2.host.snapshot",
		"other prefix":   "x.proctape.v1.host.snapshot",
		"wildcard host":  "proctape.v1.*.snapshot",
		"host too long":  "proctape.v1." + strings.Repeat("h", 65) + ".snapshot",
		"space in host":  "proctape.v1.a b.snapshot",
		"accent in host": "proctape.v1.größe.snapshot",
	} {
		t.Run(name, func(t *testing.T) {
			host, kind, err := ParseSubject(subject)
			if err == nil || !strings.Contains(err.Error(), subject) {
				t.Errorf("got %q, %q, error %v, want one that names the subject", host, kind, err)
			}
		})
	}
}

func TestHostToken(t *testing.T) {
	tests := []struct{ name, want string }{
		{"", "localhost"},
		{"build-07", "build-07"},
		{"build.example.org", "build-example-org"},
		{"größe", "gr----e"},
		{"a b\x00*>", "a-b---"},
		{strings.Repeat("x", 70), strings.Repeat("x", 64)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := HostToken(test.name); got != test.want || !ValidHost(got) {
				t.Errorf("got %q, valid %v, want %q", got, ValidHost(got), test.want)
			}
		})
	}
}

func FuzzParseSubject(f *testing.F) {
	for _, e := range examples() {
		f.Add(Subject(e.m.Host, e.m.Kind))
	}
	f.Add("proctape.v1..x")
	f.Fuzz(func(t *testing.T, subject string) {
		if token := HostToken(subject); !ValidHost(token) || ValidHost(subject) && token != subject {
			t.Errorf("HostToken(%q): got %q", subject, token)
		}
		host, kind, err := ParseSubject(subject)
		if err != nil {
			return
		}
		if got := Subject(host, kind); got != subject || !ValidHost(host) {
			t.Errorf("%q: parsed as %q and %q, which make %q", subject, host, kind, got)
		}
	})
}
