package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// builtElsewhere clones the repository into a folder of its own and makes all for a processor there; it returns the folder with what was made.
func builtElsewhere(t *testing.T, arch string, env ...string) (dist string) {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "-q", "..", clone).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(filepath.Join(clone, "deploy/packages/build"), arch)
	cmd.Env = append(append(os.Environ(), "VERSION=v1.0.0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(clone, "dist")
}

// TestPackages_Arm64 makes all of a release for another processor twice, in two places and the second time without what the compiler
// remembers, and records with the program out of its package.
func TestPackages_Arm64(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: PROCTAPE_SOAK is not set, and another processor is minutes of compiling")
	}
	t.Parallel()
	first := builtElsewhere(t, "arm64")
	again := builtElsewhere(t, "arm64", "GOCACHE="+t.TempDir())
	if a, b := readText(t, filepath.Join(first, "SHA256SUMS")), readText(t, filepath.Join(again, "SHA256SUMS")); a != b || strings.Count(a, "\n") != 4 {
		t.Errorf("the second time\n%s\nthe first time\n%s", b, a)
	}
	check := exec.Command("sha256sum", "-c", "SHA256SUMS")
	check.Dir = first
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	i := slices.IndexFunc([]string{"qemu-aarch64-static", "qemu-aarch64"}, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if i < 0 {
		t.Skip("SKIPPED: qemu-user is not installed, so the program was not run")
	}
	records(t, []string{"qemu-aarch64-static", "qemu-aarch64"}[i], first)
}

// records records with the program of a package of arm64, in an emulator, for a while: a job of it too. Then that program is asked what it has.
func records(t *testing.T, emulator, dist string) {
	t.Helper()
	dir := t.TempDir()
	debs := must(filepath.Glob(filepath.Join(dist, "*_arm64.deb")))(t)
	if out, err := exec.Command("dpkg-deb", "-x", debs[0], dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, data := filepath.Join(dir, "usr/bin/proctape"), filepath.Join(dir, "data")
	p := startProgram(t, emulator, program, "up", "--data", data, "--interval", "200ms", "--host", "arm")
	awaitSnapshots(t, data, 3)
	ask := func(want string, args ...string) {
		t.Helper()
		out, err := exec.Command(emulator, append([]string{program}, append(args, "--data", data)...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v\n%s\nwant %q", args, err, out, want)
		}
	}
	cmd := exec.Command(emulator, program, "run", "--data", data, "--job", "emulated", "--", "sh", "-c", "head -c 1000000 /dev/zero | sha256sum")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025") {
		t.Errorf("%v\n%s", err, out)
	}
	awaitSnapshots(t, data, 150) // half a minute, or more where the emulator is slow
	ask("emulated", "jobs")
	ask("emulated run 1", "report", "emulated")
	ask("150", "sql", "SELECT min(count(*), 150) FROM snapshots")
	p.stop()
	ask(`"host":"arm"`, "snapshots", "--json", "--limit", "1")
	ask("", "verify")
}
