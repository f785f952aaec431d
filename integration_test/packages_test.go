package integration_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// packed are the packages of two versions of the program under test, by version: those that the tests install.
var packed = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(proctape), "packages-")
	if err != nil {
		return "", err
	}
	pages := filepath.Join(filepath.Dir(proctape), "man1")
	if err := os.Mkdir(pages, 0o700); err != nil {
		return "", err
	}
	cmd := exec.Command("../deploy/packages/pages", pages)
	cmd.Env = append(os.Environ(), packedAt)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the manual pages: %w\n%s", err, out)
	}
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		if err := pack(dir, version, "PAGES="+pages); err != nil {
			return "", err
		}
	}
	return dir, nil
})

const packedAt = "SOURCE_DATE_EPOCH=1795000000"

// pack makes the packages of the program under test, in a form of each.
func pack(dir, version string, env ...string) error {
	cmd := exec.Command("../deploy/packages/pack", proctape, "amd64", version, dir)
	cmd.Env = append(append(os.Environ(), packedAt), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pack %s: %w\n%s", version, err, out)
	}
	return nil
}

// packageOf is a package's file.
func packageOf(t *testing.T, form, version string) string {
	t.Helper()
	dir := must(packed())(t)
	found := must(filepath.Glob(filepath.Join(dir, "proctape?"+strings.TrimPrefix(version, "v")+"*."+form)))(t)
	if len(found) != 1 {
		t.Fatalf("packages %q", found)
	}
	return found[0]
}

// packageSystem is a small system into which packages are installed: a shell, what makes accounts, and a systemctl that writes down what it
// is asked to do.
type packageSystem struct {
	t    *testing.T
	form string
	dir  string
}

// newPackageSystem skips the test where such a system cannot be made.
func newPackageSystem(t *testing.T, form string, programs ...string) *packageSystem {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root installs packages")
	}
	for _, tool := range append([]string{map[string]string{"deb": "dpkg", "rpm": "rpm"}[form], "ldd"}, programs...) {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not installed", tool)
		}
	}
	s := &packageSystem{t: t, form: form, dir: t.TempDir()}
	for _, name := range append([]string{"sh", "grep"}, programs...) {
		s.copyProgram(must(exec.LookPath(name))(t))
	}
	s.write("bin/systemctl", "#!/bin/sh\necho \"$*\" >>/systemctl.log\n", 0o755)
	s.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644)
	s.write("etc/group", "root:x:0:\n", 0o644)
	s.write("etc/login.defs", "", 0o644)
	s.write("dev/null", "", 0o666)
	for _, dir := range []string{"run/systemd/system", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/rpm", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("var/lib/dpkg/status", "", 0o644)
	return s
}

func (s *packageSystem) write(name, text string, mode os.FileMode) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// read is a file of the system, or nothing.
func (s *packageSystem) read(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, name))
	return string(text)
}

var libraryPattern = regexp.MustCompile(`(?m)(/\S+) \(0x`)

// copyProgram copies a program into /bin of the system, and the libraries that it needs to where it looks for them.
func (s *packageSystem) copyProgram(path string) {
	s.t.Helper()
	s.write(filepath.Join("bin", filepath.Base(path)), readText(s.t, path), 0o755)
	libraries, _ := exec.Command("ldd", path).Output() // a static program has none
	for _, m := range libraryPattern.FindAllStringSubmatch(string(libraries), -1) {
		s.write(m[1], readText(s.t, m[1]), 0o755)
	}
}

// manage runs the package manager, and returns what it printed and what systemctl was asked.
func (s *packageSystem) manage(args ...string) (printed string, asked []string) {
	s.t.Helper()
	os.Remove(filepath.Join(s.dir, "systemctl.log"))
	manager := []string{"dpkg", "--root=" + s.dir, "--force-confdef,confold", "--log=/dev/null"}
	if s.form == "rpm" {
		manager = []string{"rpm", "--root", s.dir, "--dbpath", "/var/lib/rpm"}
	}
	args = append(manager, args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out), strings.Split(strings.TrimSpace(s.read("systemctl.log")), "\n")
}

// installed are the files of a package that have to be there.
var installed = []string{
	"usr/bin/proctape", "usr/lib/systemd/system/proctape-recorder.service", "usr/lib/sysusers.d/proctape.conf", "usr/share/man/man1/proctape-up.1.gz",
	"usr/share/bash-completion/completions/proctape", "usr/share/fish/vendor_completions.d/proctape.fish", "usr/share/proctape/ci/proctape-ci",
	"etc/proctape/recorder.yaml", "etc/proctape/sampler.yaml", "etc/proctape/projector.yaml", "etc/proctape/serve.yaml",
}

// there says which of the files are in the system.
func (s *packageSystem) there(names []string) (found []string) {
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(s.dir, name)); err == nil {
			found = append(found, name)
		}
	}
	return found
}

// record has the installed program record into its folder until there are a few snapshots, and returns how many there are.
func (s *packageSystem) record() int {
	s.t.Helper()
	data, program := filepath.Join(s.dir, "var/lib/proctape"), filepath.Join(s.dir, "usr/bin/proctape")
	before := s.snapshots()
	p := startProgram(s.t, program, "up", "--data", data, "--config", filepath.Join(s.dir, "etc/proctape/recorder.yaml"), "--interval", "100ms", "--host", "here", "--events", "proc-diff")
	await(s.t, "snapshots", func() bool { return s.snapshots() > before+1 })
	p.stop()
	return s.snapshots()
}

// snapshots is how many the recording of the system has; none before there is one.
func (s *packageSystem) snapshots() int {
	s.t.Helper()
	out, code := exitOf(s.t, "snapshots", "--data", filepath.Join(s.dir, "var/lib/proctape"), "--json", "--limit", "100000")
	if code != 0 && !strings.Contains(out, "no such database") && !strings.Contains(out, "it holds no recording") {
		s.t.Fatalf("snapshots ends with %d: %s", code, out)
	}
	return strings.Count("\n"+out, "\n{")
}

// life installs one version, records, upgrades to the next, removes it, and says what was not as it has to be.
func (s *packageSystem) life(first, second string) (wrong []string) {
	s.t.Helper()
	must := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			wrong = append(wrong, fmt.Sprintf("%s: %v, want %v", what, got, want))
		}
	}
	upgrade, remove := "-i", "--remove"
	if s.form == "rpm" {
		upgrade, remove = "-U", "-e"
	}
	printed, asked := s.manage("-i", first)
	must("after the installation there are", s.there(installed), installed)
	must("after the installation systemctl did", asked, []string{"daemon-reload"})
	must("it says what is next", strings.Contains(printed, "systemctl enable --now proctape-recorder"), true)
	must("the group", strings.Contains(s.read("etc/group"), "\nproctape:"), true)
	must("the user", strings.Contains(s.read("etc/passwd"), "\nproctape:"), true)

	s.write("etc/proctape/recorder.yaml", s.read("etc/proctape/recorder.yaml")+"\nargv: none\n", 0o644)
	before := s.record()
	_, asked = s.manage(upgrade, second)
	must("an upgrade asks systemctl for", asked, []string{"daemon-reload", "try-restart proctape-recorder.service", "try-restart proctape-projector.service",
		"try-restart proctape-sampler.service", "try-restart proctape-serve.service"})
	must("after the upgrade there are", s.there(installed), installed)
	must("the settings are as they were", strings.HasSuffix(s.read("etc/proctape/recorder.yaml"), "\nargv: none\n"), true)
	must("after the upgrade snapshots are left", s.snapshots(), before)
	after := before
	if s.snapshots() == before {
		after = s.record()
	}
	must("it records on after the upgrade", after > before, true)

	_, asked = s.manage(remove, "proctape")
	must("a removal asks systemctl for", asked, []string{"disable --now proctape-serve.service", "disable --now proctape-sampler.service",
		"disable --now proctape-projector.service", "disable --now proctape-recorder.service", "daemon-reload"})
	if s.form == "deb" {
		must("after the removal there are", s.there(installed), installed[len(installed)-4:])
		s.manage("--purge", "proctape")
	} else {
		must("the settings are kept as", s.there([]string{"etc/proctape/recorder.yaml.rpmsave"}), []string{"etc/proctape/recorder.yaml.rpmsave"})
	}
	must("at the end there are", s.there(installed), []string{})
	must("at the end snapshots are left", s.snapshots(), after)
	return wrong
}

// TestPackages_LiveAndLeaveData installs, upgrades and removes the packages with the real managers, while the installed program records.
func TestPackages_LiveAndLeaveData(t *testing.T) {
	long(t)
	t.Parallel()
	accounts := map[string][]string{"deb": {"systemd-sysusers"}, "rpm": {"groupadd", "useradd"}}
	for form, programs := range accounts {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newPackageSystem(t, form, programs...)
			if wrong := s.life(packageOf(t, form, "v1.0.0"), packageOf(t, form, "v1.1.0")); wrong != nil {
				t.Error(strings.Join(wrong, "\n"))
			}
		})
	}
	// The controls: scripts that somebody wrote in a hurry.
	for name, hasty := range map[string]struct{ script, old, replacement string }{
		"removes the data":       {"postrm", "set -e\n", "set -e\nrm -rf /var/lib/proctape\n"},
		"stops at an upgrade":    {"prerm", "remove | 0)", "remove | upgrade | 0)"},
		"does not restart":       {"postinst", "try-restart", "reload"},
		"leaves the units alive": {"prerm", "disable --now", "is-active"},
	} {
		t.Run("control/"+name, func(t *testing.T) {
			t.Parallel()
			s := newPackageSystem(t, "deb", "systemd-sysusers", "rm")
			first, second := s.changed(packageOf(t, "deb", "v1.0.0"), hasty.script, hasty.old, hasty.replacement), s.changed(packageOf(t, "deb", "v1.1.0"), hasty.script, hasty.old, hasty.replacement)
			if wrong := s.life(first, second); wrong == nil {
				t.Error("its package passes")
			}
		})
	}
}

// changed is a deb package of which a script is another.
func (s *packageSystem) changed(from, script, old, replacement string) string {
	s.t.Helper()
	dir := s.t.TempDir()
	tree, to := filepath.Join(dir, "tree"), filepath.Join(dir, "changed.deb")
	must(exec.Command("dpkg-deb", "-R", from, tree).CombinedOutput())(s.t)
	path := filepath.Join(tree, "DEBIAN", script)
	text := readText(s.t, path)
	if !strings.Contains(text, old) {
		s.t.Fatalf("%s has no %q any more", script, old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, old, replacement)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	must(exec.Command("dpkg-deb", "-Znone", "-b", tree, to).CombinedOutput())(s.t)
	return to
}

// sums are the SHA-256 of the packages in a folder, by name.
func sums(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, path := range must(filepath.Glob(filepath.Join(dir, "proctape*1.0.0*")))(t) {
		all = append(all, fmt.Sprintf("%x %s", sha256.Sum256([]byte(readText(t, path))), filepath.Base(path)))
	}
	return all
}

// TestPackages_AreReproducible packs the same program again, as another user elsewhere would, and gets the same bytes.
func TestPackages_AreReproducible(t *testing.T) {
	long(t)
	t.Parallel()
	first := sums(t, must(packed())(t))
	again := t.TempDir()
	if err := pack(again, "v1.0.0", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "HOME="+os.Getenv("HOME"), "TMPDIR="+t.TempDir(), "USER=other"); err != nil {
		t.Fatal(err)
	}
	if got := sums(t, again); !slices.Equal(got, first) || len(first) != 2 {
		t.Errorf("the second time %q, the first time %q", got, first)
	}
	// The control: another time.
	later := t.TempDir()
	if err := pack(later, "v1.0.0", "SOURCE_DATE_EPOCH=1795000001", "PAGES="+filepath.Join(filepath.Dir(proctape), "man1")); err != nil {
		t.Fatal(err)
	}
	if got := sums(t, later); slices.Equal(got, first) {
		t.Error("packages of another time are the same: this test catches nothing")
	}
}

// TestPackages_Versions names packages by what git says, so that managers order them rightly.
func TestPackages_Versions(t *testing.T) {
	t.Parallel()
	ordered := []string{"c808b61", "v0.9.0", "v1.2.0-rc1", "v1.2.0-rc1-3-gabc123", "v1.2.0", "v1.2.0-3-gabc123", "v1.2.1-dirty"}
	for i, version := range ordered {
		ordered[i] = strings.TrimSpace(string(must(exec.Command("../deploy/packages/version", version).Output())(t)))
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("SKIPPED: dpkg is not installed")
	}
	for i := range len(ordered) - 1 {
		if err := exec.Command("dpkg", "--compare-versions", ordered[i], "lt", ordered[i+1]).Run(); err != nil {
			t.Errorf("%s is not before %s", ordered[i], ordered[i+1])
		}
	}
}
