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
	s, m, planted, canaries := New(Scrubbed), newMaker(20), 0, 8
	if soak {
		canaries = 40
	}
	for template := range strings.Lines(string(data)) {
		if !slices.ContainsFunc(canaryPlaces, func(p string) bool { return strings.Contains(template, p) }) {
			continue
		}
		for range canaries {
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
	if planted < 250*canaries {
		t.Errorf("got %d canaries planted, want at least %d", planted, 250*canaries)
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
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	pieces := []string{
		"a://", "sk-", "eyJ", "eyJaaaaaaaaaaaa-", "token=", "token='", `token=\"`, "-----BEGIN ", "'", `"`, `\"`, "x-token: ", "password: ", ";token=", "=", ":", "::",
		"echo a | x-stdin ", "-stdin ", "redis-cli AUTH ", "docker -p ", "$1$", "bearer ", "(", "$(", "{\"token\":[", "'a \"b ", " ", "a=b ", "@tcp(", "--password ",
		"('", "login('", "connect('a',", "name=TOKEN,value=", `"name":"TOKEN",`, "<token>", "<token", "[\"--token\",", ":\"sh ", "a:b@", "s/@PASS@/", "echo a;", "yes a|",
		"ａ", "\u200b", "p\u200b=", "-p x -u ", "set token ", "a-", "a:a:a:a:", "key: ", "u=x,p=", "0123456789abcdef", "ATLAS.atlasv1.",
	}
	size := 2 * maxInput
	if soak {
		size = 8 * maxInput
	}
	for _, piece := range pieces {
		long := strings.Repeat(piece, size/len(piece))
		for _, args := range [][]string{{long}, {"sh", "-c", long}, strings.Split(long, " "), {"redis-cli", "echo a | docker login " + long}} {
			before := cpuTime(t)
			New(Scrubbed).Command("x", args)
			if used := cpuTime(t) - before; used > 3*time.Second {
				t.Errorf("%q: used %s of CPU for %d bytes", piece, used, len(long))
			}
		}
	}
}
