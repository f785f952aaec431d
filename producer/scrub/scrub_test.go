package scrub

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseMode(t *testing.T) {
	for _, want := range []Mode{Full, Scrubbed, None} {
		if got, err := ParseMode(string(want)); err != nil || got != want {
			t.Errorf("ParseMode(%q): got %q, %v", want, got, err)
		}
	}
	const want = `unknown command mode "some": use "full", "scrubbed" or "none"`
	if _, err := ParseMode("some"); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestCommand_Modes(t *testing.T) {
	args := []string{"/usr/bin/app", "--password", "hunter2", "-v"}
	tests := map[Mode]string{
		Full:     "/usr/bin/app --password hunter2 -v",
		Scrubbed: "/usr/bin/app --password *** -v",
		None:     "/usr/bin/app",
		"":       "/usr/bin/app --password *** -v",
		"other":  "/usr/bin/app --password *** -v",
	}
	for mode, want := range tests {
		if got := New(mode).Command("app", args); got != want {
			t.Errorf("%q: got %q, want %q", mode, got, want)
		}
	}
}

func TestCommand_Edges(t *testing.T) {
	tests := []struct {
		name string
		mode Mode
		args []string
		want string
	}{
		{"kernel thread", Scrubbed, nil, "[kworker/0:1]"},
		{"kernel thread without arguments to show", None, nil, "[kworker/0:1]"},
		{"title hides no argument from none", None, []string{"app: job --token abc"}, "app:"},
		{"empty argument", Scrubbed, []string{"a", "", "b"}, "a  b"},
		{"one empty argument", Scrubbed, []string{""}, ""},
		{"invalid bytes", Scrubbed, []string{"a\xff", "b\xc3"}, "a\uFFFD b\uFFFD"},
		{"invalid bytes in full", Full, []string{"\xfe"}, "\uFFFD"},
		{"control bytes stay", Scrubbed, []string{"a\x00b\nc", "\x1b[31m"}, "a\x00b\nc \x1b[31m"},
		{"secret with invalid bytes", Scrubbed, []string{"x", "--password=\xff\xfe"}, "x --password=***"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := New(test.mode).Command("kworker/0:1", test.args); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCommand_Limit(t *testing.T) {
	for _, mode := range []Mode{Full, Scrubbed, None} {
		for _, arg := range []string{strings.Repeat("ä", MaxBytes), "x" + strings.Repeat("€", MaxBytes), strings.Repeat("a", 1<<20)} {
			got := New(mode).Command("x", []string{arg, "--password", "hunter2", arg})
			if len(got) > MaxBytes+len(ellipsis) || len(got) < MaxBytes-3 || !utf8.ValidString(got) || !strings.Contains(got, ellipsis) {
				t.Errorf("%s: got %d bytes: %q", mode, len(got), got)
			}
		}
	}
	if got := New(Scrubbed).Command("x", []string{strings.Repeat("a", MaxBytes)}); len(got) != MaxBytes {
		t.Errorf("got %d bytes, want all %d", len(got), MaxBytes)
	}
}

// What tells two services apart stands at the end of a long line.
func TestCommand_LimitKeepsTheEnd(t *testing.T) {
	for _, mode := range []Mode{Full, Scrubbed} {
		got := New(mode).Command("java", []string{"java", "-cp", strings.Repeat("/opt/lib/a.jar:", 400), "com.example.BillingMain", "--shard", "7"})
		if !strings.HasPrefix(got, "java -cp /opt/lib/a.jar:") || !strings.HasSuffix(got, " com.example.BillingMain --shard 7") || len(got) > MaxBytes+len(ellipsis) {
			t.Errorf("%s: got %d bytes: %q", mode, len(got), got)
		}
	}
}

// TestCommand_LimitCutsNoMask checks that a secret across the limit does not show its first half.
func TestCommand_LimitCutsNoMask(t *testing.T) {
	for pad := MaxBytes - 40; pad < MaxBytes; pad++ {
		got := New(Scrubbed).Command("x", []string{strings.Repeat("a", pad), "--token=q7Zp9LmX2vKd"})
		if strings.Contains(got, "q7Z") {
			t.Fatalf("got %q", got[pad-10:])
		}
	}
}

func TestCommand_ExtraWords(t *testing.T) {
	s := New(Scrubbed, "Shibboleth", "launch-code", " ")
	tests := []struct{ args, want string }{
		{"app --shibboleth friend", "app --shibboleth ***"},
		{"app MY_SHIBBOLETH=friend", "app MY_SHIBBOLETH=***"},
		{"app --launchCode 0000", "app --launchCode ***"},
		{"app launch.code:mellon", "app launch.code:***"},
		{"app --launch-pad 39a", "app --launch-pad 39a"},
	}
	for _, test := range tests {
		if got := s.Command("app", strings.Split(test.args, " ")); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, l := range loadLabelled(f) {
		f.Add(strings.Join(l.Args, "\x00"), "")
	}
	f.Add("sh\x00-c\x00a='b\"", "word")
	f.Add("x\x00--password=\x00\\\"\x00:=\x00://@\x00@tcp(", "-")
	f.Fuzz(func(t *testing.T, joined, word string) {
		args := strings.Split(joined, "\x00")
		s := New(Scrubbed, word)
		once := s.Command("x", args)
		if !utf8.ValidString(once) || len(once) > MaxBytes+len(ellipsis) {
			t.Fatalf("got %d bytes, valid UTF-8 %t", len(once), utf8.ValidString(once))
		}
		if twice := s.Command("x", strings.Split(once, " ")); !isMasking(once, twice) {
			t.Fatalf("the second scrubbing did more than mask:\n%q\n%q", once, twice)
		}
		for _, mode := range []Mode{Full, None} {
			if got := New(mode).Command("x", args); !utf8.ValidString(got) || len(got) > MaxBytes+len(ellipsis) {
				t.Fatalf("%s: got %d bytes", mode, len(got))
			}
		}
	})
}

// isMasking reports whether scrubbed is text with some pieces replaced by masks.
func isMasking(text, scrubbed string) bool {
	scrubbed = strings.TrimSuffix(scrubbed, ellipsis)
	for piece := range strings.SplitSeq(scrubbed, mask) {
		_, rest, ok := strings.Cut(text, strings.TrimRight(piece, "*"))
		if !ok {
			return false
		}
		text = rest
	}
	return true
}

func BenchmarkCommand(b *testing.B) {
	benchmarks := []struct {
		name string
		args []string
	}{
		{"plain", []string{"/usr/lib/postgresql/16/bin/postgres", "-D", "/var/lib/postgresql/16/main", "-c", "config_file=/etc/postgresql/16/main/postgresql.conf"}},
		{"compiler", []string{"gcc", "-O2", "-g", "-Wall", "-DNDEBUG", "-Iinclude", "-I.", "-MMD", "-MP", "-c", "src/token.c", "-o", "build/obj/src/token.o", "-std=gnu17", "-fPIC"}},
		{"secret", []string{"mysqldump", "-h", "db1.example.com", "-uroot", "-phunter2", "--single-transaction", "--routines", "shop"}},
		{"script", []string{"sh", "-c", "cd /srv && PGPASSWORD='hunter2' psql -h db1.example.com -U app shop < dump.sql | tee /tmp/log"}},
		{"4096 bytes", strings.Split(strings.TrimSpace(strings.Repeat("-Dsome.property.name=/usr/share/some/value ", 100)), " ")},
	}
	s := New(Scrubbed)
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(strings.Join(bench.args, " "))))
			b.ReportAllocs()
			for b.Loop() {
				s.Command("x", bench.args)
			}
		})
	}
}
