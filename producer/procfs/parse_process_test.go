package procfs

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseStatm(t *testing.T) {
	parse := func(data []byte) (MemoryValues, error) { return parseStatm(data, 4) }
	got, err := parse([]byte("2000 700 300 10 0 400 0\n"))
	if want := (MemoryValues{VMSKiB: 8000, RSSKiB: 2800}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	wantErrors(t, parse, map[string]string{
		"":           "1 (size) is missing",
		"x 700":      `1 (size) is "x"`,
		"2000\n":     "2 (resident) is missing",
		"2000 -1 30": `2 (resident) is "-1"`,
	})
}

func TestParseIO(t *testing.T) {
	data := "rchar: 9\nwchar: 8\nsyscr: 7\nsyscw: 6\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 512\n"
	got, err := parseIO([]byte(data))
	if want := (IOValues{ReadBytes: 4096, WriteBytes: 8192, CancelledBytes: 512}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	wantErrors(t, parseIO, map[string]string{
		"":                                "read_bytes is missing",
		"read_bytes: x\nwrite_bytes: 1\n": `read_bytes is "x"`,
		"read_bytes: 1\ncancelled_write_bytes: 1": "write_bytes is missing",
	})
}

func TestParseSchedstat(t *testing.T) {
	got, err := parseSchedstat([]byte("178617574 10136853 365\n"))
	if want := (runs{time: 178617574, delay: 10136853, count: 365}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	wantErrors(t, parseSchedstat, map[string]string{
		"":    "1 (time on the cpu) is missing",
		"1 2": "3 (timeslices) is missing",
	})
}

func TestParseCgroup(t *testing.T) {
	tests := map[string]struct{ data, want string }{
		"version 2":                          {"0::/user.slice/a.scope\n", "/user.slice/a.scope"},
		"root":                               {"0::/\n", "/"},
		"version 2 last":                     {"1:name=systemd:/one\n0::/two\n", "/two"},
		"systemd":                            {"4:cpu,cpuacct:/first\n1:name=systemd:/three:4\n", "/three:4"},
		"neither":                            {"4:cpu,cpuacct:/first\n3:memory:/second\n", "/first"},
		"named 0":                            {"0:cpu:/a\n1:name=systemd:/b\n", "/b"},
		"no final newline":                   {"0::/x", "/x"},
		"a container beside version 2":       {"12:memory:/dk/abc\n3:pids:/dk/abc\n2:freezer:/\n1:name=systemd:/\n0::/\n", "/dk/abc"},
		"all but one at the root":            {"3:freezer:/cold\n2:memory:/\n0::/\n", "/cold"},
		"limits before others":               {"3:freezer:/cold\n2:memory:/dk\n0::/\n", "/dk"},
		"all at the root":                    {"3:freezer:/\n0::/\n", "/"},
		"only systemd's":                     {"2:memory:/\n1:name=systemd:/a.service\n0::/\n", "/a.service"},
		"a container of a unit":              {"4:memory:/docker/1f\n1:name=systemd:/docker/1f\n0::/system.slice/containerd.service\n", "/docker/1f"},
		"a batch job of a unit":              {"4:cpu,cpuacct:/slurm/uid_7/job_5\n1:name=systemd:/system.slice/slurmd.service\n", "/slurm/uid_7/job_5"},
		"a unit that is limited above":       {"4:memory:/user.slice\n0::/user.slice/user-7.slice/session-1.scope\n", "/user.slice/user-7.slice/session-1.scope"},
		"a unit, and a group of the freezer": {"4:freezer:/cold\n0::/system.slice/a.service\n", "/system.slice/a.service"},
		"a group that is no unit":            {"4:memory:/dk\n0::/proctape-a-7\n", "/proctape-a-7"},
		"removed":                            {"0::/a/b (deleted)\n", "/a/b"},
		"above the namespace's root":         {"0::/../b\n", "/../b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseCgroup([]byte(test.data))
			if err != nil || got != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	wantErrors(t, parseCgroup, map[string]string{"": "no line", "0:\n": "no line", "0::\n": "no line"})
}

func TestParseArgs(t *testing.T) {
	tests := map[string]struct {
		data string
		want []string
	}{
		"none":         {"", nil},
		"one":          {"init\x00", []string{"init"}},
		"empty inside": {"a\x00\x00b\x00", []string{"a", "", "b"}},
		"padded title": {"nginx: worker\x00\x00\x00\x00", []string{"nginx: worker"}},
		"cut short":    {"a\x00unfinish", []string{"a", "unfinish"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := parseArgs([]byte(test.data)); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseEnv(t *testing.T) {
	data := "A=1\x00SECRET=x\x00B=\x00noequals\x00A=2\x00C=a=b\x00D=unfinished"
	got := parseEnv([]byte(data), []string{"A", "B", "C", "D", "noequals"})
	if want := map[string]string{"A": "1", "B": "", "C": "a=b"}; !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParsePID(t *testing.T) {
	for name, want := range map[string]int{"1": 1, "4194304": 4194304, "": 0, "0": 0, "01": 0, "self": 0, "-1": 0,
		"99999999999": 0} {
		if got, ok := parsePID([]byte(name)); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: got %d, %v, want %d", name, got, ok, want)
		}
	}
}

// wantErrors checks that parse refuses each key of tests with an error that contains its value.
func wantErrors[T any](t *testing.T, parse func([]byte) (T, error), tests map[string]string) {
	t.Helper()
	for data, want := range tests {
		if got, err := parse([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want an error with %q", data, got, err, want)
		}
	}
}
