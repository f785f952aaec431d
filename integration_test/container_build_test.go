package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// builder is buildah with a store of its own.
type builder struct {
	t   *testing.T
	dir string
}

func (b builder) try(args ...string) (string, error) {
	cmd := exec.Command("buildah", append([]string{"--root", filepath.Join(b.dir, "store"), "--runroot", filepath.Join(b.dir, "run")}, args...)...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (b builder) run(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		b.t.Fatalf("buildah %q: %v\n%s", args, err, out)
	}
	return out
}

// base makes the image from which the recipe begins, which no registry gives here: a clean Debian with this machine's Go.
func (b builder) base(root string) {
	b.t.Helper()
	recipe := readText(b.t, "../deploy/container/Containerfile")
	_, rest, _ := strings.Cut(recipe, "\nFROM ")
	name, _, _ := strings.Cut(rest, " ")
	gone := must(exec.Command("go", "env", "GOROOT").Output())(b.t)
	c := b.run("from", "scratch")
	b.run("copy", "-q", c, root, "/")
	b.run("copy", "-q", c, strings.TrimSpace(string(gone)), "/usr/local/go")
	b.run("config", "--env", "PATH=/usr/local/go/bin:/usr/bin:/bin", c)
	b.run("commit", "-q", "--rm", c, name)
}

// TestContainer_BuildsByItsRecipe builds the image by a real builder, without a network, and records in a container of it. The control: a recipe that copies the program elsewhere.
func TestContainer_BuildsByItsRecipe(t *testing.T) {
	t.Parallel()
	root := cleanRoot(t)
	if !hasProgram("buildah") {
		t.Skip("SKIPPED: buildah is not installed")
	}
	b := builder{t, t.TempDir()}
	t.Cleanup(func() { b.try("rm", "-a"); b.try("rmi", "-a", "-f") })
	if out, err := b.try("from", "scratch"); err != nil {
		t.Skipf("SKIPPED: buildah makes no container here: %v\n%s", err, out)
	}
	b.base(root)
	env := func(name string) string {
		return strings.TrimSpace(string(must(exec.Command("go", "env", name).Output())(t)))
	}
	build := func(recipe, tag string) {
		b.run("bud", "--isolation", "chroot", "--pull-never", "--network", "host", "-v", env("GOMODCACHE")+":/root/go/pkg/mod", "-v", env("GOCACHE")+":/root/.cache/go-build",
			"--build-arg", "VERSION=v1.0.0", "-f", recipe, "-t", tag, "..")
	}
	build("../deploy/container/Containerfile", "proctape")
	c := b.run("from", "--pull-never", "localhost/proctape")
	if said := b.run("run", "--isolation", "chroot", c, "--", "/usr/bin/proctape", "version"); !strings.HasPrefix(said, "proctape v1.0.0") {
		t.Errorf("the image's program is %q", said)
	}
	if said := b.run("run", "--isolation", "chroot", c, "--", "/usr/bin/proctape", "simulate", "--data", "/var/lib/proctape", "--hosts", "1", "--duration", "1m", "--rate", "fast"); !strings.Contains(said, "12 snapshots") {
		t.Errorf("it says %q", said)
	}
	wrong := filepath.Join(t.TempDir(), "Containerfile")
	text := strings.Replace(readText(t, "../deploy/container/Containerfile"), "/proctape /usr/bin/proctape", "/proctape /usr/bin/elsewhere", 1)
	if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	build(wrong, "elsewhere")
	if said, err := b.try("run", "--isolation", "chroot", b.run("from", "--pull-never", "localhost/elsewhere"), "--", "/usr/bin/proctape", "version"); err == nil {
		t.Errorf("the control runs: %s", said)
	}
}
