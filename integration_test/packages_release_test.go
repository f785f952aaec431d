package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackages_ReleaseIsChecked has the check before a release look at commits that are no release, and at one that is.
func TestPackages_ReleaseIsChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "deploy", "packages", "release")
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "tag.gpgsign=false", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	said := func() string {
		out, _ := exec.Command(script, "--check").CombinedOutput()
		return string(out)
	}
	expect := func(want string) {
		t.Helper()
		if got := said(); !strings.Contains(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	write("deploy/packages/release", readText(t, "../deploy/packages/release"))
	write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n- x\n")
	git("init", "-q")
	git("add", "-A")
	git("commit", "-qm", "one")
	expect("HEAD has no tag")
	git("tag", "today")
	expect("the tag today is no version")
	git("tag", "-d", "today")
	git("tag", "v1.2.3")
	expect("CHANGELOG.md says nothing of 1.2.3")
	write("CHANGELOG.md", "# Changelog\n\n## [1.2.3] - 2026-11-28\n\n## [1.2.2] - 2026-11-01\n\n- x\n")
	expect("files are changed")
	git("commit", "-qam", "two")
	git("tag", "-f", "v1.2.3")
	expect("says nothing below ## [1.2.3]")
	write("CHANGELOG.md", "# Changelog\n\n## [1.2.3] - 2026-11-28\n\n- y\n\n## [1.2.2] - 2026-11-01\n\n- x\n")
	git("commit", "-qam", "three")
	expect("HEAD has no tag")
	git("tag", "-f", "v1.2.3")
	expect("v1.2.3 is tagged, committed and described")
}

// TestPackages_ReleaseOfATag makes a release of a real tag in a clone: all that a release has is there, its sums hold, the program says the tag, and the notes are those of its version. The
// control: the same with a file that is not committed.
func TestPackages_ReleaseOfATag(t *testing.T) {
	if !soak {
		t.Skip("SKIPPED: PROCTAPE_SOAK is not set, and a release is minutes of compiling")
	}
	clone := filepath.Join(t.TempDir(), "clone")
	sh := func(script string) (string, error) {
		cmd := exec.Command("sh", "-ec", script, "sh", clone)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if said, err := sh(`git clone -q .. "$1"; cd "$1"; sed -i 's/^## \[Unreleased\]$/## [9.8.7] - 2026-11-28/' CHANGELOG.md; git commit -qam 'Release 9.8.7'; git tag v9.8.7`); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if said, err := sh(`cd "$1"; touch left; ! make release && rm left`); err != nil || !strings.Contains(said, "files are changed") {
		t.Errorf("with a file that is not committed: %v\n%s", err, said)
	}
	said, err := sh(`cd "$1"; make release`)
	if err != nil || !strings.Contains(said, "git push origin v9.8.7") || !strings.Contains(said, "Nothing was published") {
		t.Fatalf("%v\n%s", err, said)
	}
	said, err = sh(`cd "$1/dist"; sha256sum -c SHA256SUMS; ./proctape-v9.8.7-linux-amd64 version; head -n 3 NOTES.md`)
	if err != nil || strings.Count(said, ": OK") != 8 || !strings.Contains(said, "proctape v9.8.7,") || !strings.Contains(said, "Nothing is released yet") {
		t.Errorf("%v\n%s", err, said)
	}
}
