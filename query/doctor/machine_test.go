package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParsePrivileges(t *testing.T) {
	for status, want := range map[string][]string{
		"Name:\tx\nCapPrm:\tffff\nCapEff:\t0000000000000000\n": nil,
		"CapEff:\t000001ffffffffff\n":                          {dacReadSearch, netAdmin, sysPtrace, syslog, bpf, perfmon},
		"CapEff:\t0000000000001000\n":                          {netAdmin}, // the bit 12
		"CapEff:\tnothing\n":                                   nil,
		"":                                                     nil,
	} {
		if got := parsePrivileges(status); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", status, got, want)
		}
	}
}

func TestParseHierarchies(t *testing.T) {
	const v1 = "33 24 0:29 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n34 24 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	const v2 = "35 24 0:31 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
	for mounts, want := range map[string][]string{v1: {"version 1"}, v2: {"version 2"}, v2 + v1: {"version 1", "version 2"}, "1 1 8:1 / / rw - ext4 /dev/sda rw\n": nil, "nonsense\n": nil} {
		if got := parseHierarchies(mounts); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", mounts, got, want)
		}
	}
}

func TestReadMachine(t *testing.T) {
	m := ReadMachine("/")
	if m.Kernel == "" || m.Processor == "" || m.Processes == 0 || m.Files == 0 || !filepath.IsAbs(m.Program) || m.Root != (os.Geteuid() == 0) {
		t.Errorf("this machine: got %+v", m)
	}
	if m := ReadMachine(t.TempDir()); m.Contained || m.Processes != 0 || m.Hierarchies != nil || m.Privileges != nil {
		t.Errorf("a machine of which nothing is known: got %+v", m)
	}
}

func TestTryFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	open := filepath.Join(dir, "open")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Folder{
		dir:                               {Exists: true, Tried: dir},
		filepath.Join(dir, "a", "b"):      {Tried: dir},
		file:                              {Exists: true, Tried: file, Error: "not a directory"},
		filepath.Join(file, "monitor"):    {Tried: filepath.Join(file, "monitor"), Error: "not a directory"},
		open:                              {Exists: true, Tried: open, Error: "may be written to by others", Mend: "chmod "},
		filepath.Join(open, "data", "db"): {Tried: open, Error: "may be written to by others", Mend: "chmod "},
	} {
		got := TryFolder(path)
		if got.Path != path || got.Exists != want.Exists || got.Tried != want.Tried || (got.Error == "") != (want.Error == "") ||
			!strings.Contains(got.Error, want.Error) || !strings.Contains(got.Mend, want.Mend) {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
		if want.Error == "" && (got.Sync <= 0 || got.Free == 0) {
			t.Errorf("%s: got %+v, want how long a sync took, and what is free", path, got)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder has %v, %v, want what was in it before", entries, err)
	}
}

func TestTryKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.nk")
	if err := os.WriteFile(path, []byte("SU"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k := TryKey(path); k.Error != "" {
		t.Errorf("got %+v", k)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if k := TryKey(path); k.Mend != "chmod 600 "+path {
		t.Errorf("a key that others may read: got %+v", k)
	}
}
