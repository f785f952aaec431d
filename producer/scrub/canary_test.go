package scrub

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// canaryPlaces are the placeholders of secret.txt that stand for a secret of no particular shape.
var canaryPlaces = []string{"{pw}", "{upw}", "{spw}", "{tok}", "{utok}", "{stok}"}

// TestCommand_Canaries plants random secrets of 20 characters in every form that the templates know.
func TestCommand_Canaries(t *testing.T) {
	data, err := os.ReadFile("testdata/secret.txt")
	if err != nil {
		t.Fatal(err)
	}
	s, m, planted := New(Scrubbed), newMaker(20), 0
	for template := range strings.Lines(string(data)) {
		if !slices.ContainsFunc(canaryPlaces, func(p string) bool { return strings.Contains(template, p) }) {
			continue
		}
		for range 40 {
			canary := m.of(20, letter)
			args := shellWords(strings.TrimSpace(template))
			for i := range args {
				for _, place := range canaryPlaces {
					args[i] = strings.ReplaceAll(args[i], place, canary)
				}
			}
			args = fill(m, args, false).Args
			planted++
			if got := s.Command("x", args); strings.Contains(got, canary) {
				t.Errorf("canary %s in %s", canary, got)
				break
			}
		}
	}
	if planted < 10_000 {
		t.Errorf("got %d canaries planted, want at least 10000", planted)
	}
}

// cpuTime is the CPU time of this process.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// TestCommand_Hostile checks that no input makes the work grow with its square.
func TestCommand_Hostile(t *testing.T) {
	pieces := []string{
		"a://", "sk-", "eyJ", "eyJaaaaaaaaaaaa-", "token=", "token='", `token=\"`, "-----BEGIN ", "'", `"`, `\"`, "x-token: ", "password: ", ";token=", "=", ":", "::",
		"echo a | x-stdin ", "-stdin ", "redis-cli AUTH ", "docker -p ", "$1$", "bearer ", "(", "$(", "{\"token\":[", "'a \"b ", " ", "a=b ", "@tcp(", "--password ",
	}
	for _, piece := range pieces {
		long := strings.Repeat(piece, 1<<17/len(piece))
		for _, args := range [][]string{{long}, {"sh", "-c", long}, strings.Split(long, " "), {"redis-cli", "echo a | docker login " + long}} {
			before := cpuTime(t)
			New(Scrubbed).Command("x", args)
			if used := cpuTime(t) - before; used > 3*time.Second {
				t.Errorf("%q: used %s of CPU for %d bytes", piece, used, len(long))
			}
		}
	}
}
