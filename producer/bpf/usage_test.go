package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What programs and maps take is read of a process's descriptors, and nothing of its other files. The texts are those of Linux 6.12.
func TestReadUsage(t *testing.T) {
	proc := t.TempDir()
	for _, dir := range []string{"fd", "fdinfo"} {
		if err := os.Mkdir(filepath.Join(proc, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for fd, of := range [][2]string{
		{"anon_inode:bpf-prog", "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1061\nprog_type:\t26\nprog_jited:\t1\nprog_tag:\t8c3a\nmemlock:\t4096\nprog_id:\t90\nrun_time_ns:\t1500\nrun_cnt:\t3\n"},
		{"anon_inode:bpf-map", "map_type:\t27\nkey_size:\t0\nmax_entries:\t8388608\nmemlock:\t8409088\n"},
		{"anon_inode:bpf-link", "link_type:\titer\nmemlock:\t7\n"},
		{"/etc/passwd", "memlock:\t9\n"},
	} {
		name := fmt.Sprint(fd)
		if err := os.Symlink(of[0], filepath.Join(proc, "fd", name)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, "fdinfo", name), []byte(of[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := ReadUsage(proc)
	if err != nil || u.Programs != 1 || u.Memory != 4096+8409088 || u.RunTime != 1500*time.Nanosecond {
		t.Errorf("got %+v, %v", u, err)
	}
	if _, err := ReadUsage(filepath.Join(proc, "none")); err == nil {
		t.Error("a process that is not there takes nothing")
	}
}

// Programs that run here are found.
func TestReadUsage_OfPrograms(t *testing.T) {
	before, err := ReadUsage("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	openEvents(t)
	after, err := ReadUsage("/proc/self")
	if err != nil || after.Programs <= before.Programs || after.Memory-before.Memory < ringBytes {
		t.Errorf("with the programs %+v, without %+v: %v", after, before, err)
	}

}
