package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cleanRoot is a system that has nothing but what Debian always has.
func cleanRoot(t *testing.T) string {
	t.Helper()
	if !soak {
		t.Skip("SKIPPED: PROCTAPE_SOAK is not set, and a clean system is minutes of unpacking")
	}
	if os.Geteuid() != 0 || !hasProgram("debootstrap") || !hasProgram("unshare") {
		t.Skip("SKIPPED: a clean system needs root, debootstrap and unshare")
	}
	root := filepath.Join(t.TempDir(), "root")
	if out, err := exec.Command("debootstrap", "--variant=minbase", "bookworm", root).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: debootstrap cannot make a system here: %v\n%s", err, out)
	}
	return root
}

// newcomer does what the documents say with a package, in a copy of a clean system.
func newcomer(t *testing.T, root, deb string) (said string, err error) {
	t.Helper()
	own := filepath.Join(t.TempDir(), "root")
	must(exec.Command("cp", "-a", root, own).CombinedOutput())(t)
	out, err := exec.Command("../deploy/packages/newcomer", deb, own).CombinedOutput()
	return string(out), err
}

// TestPackages_NewcomersMinutes installs the package into a clean system, records and asks there as the documents say, and removes it. The control: a package that
// does not make its user.
func TestPackages_NewcomersMinutes(t *testing.T) {
	t.Parallel()
	root := cleanRoot(t)
	deb := packageOf(t, "deb", "v1.0.0")
	said, err := newcomer(t, root, deb)
	if err != nil || !strings.Contains(said, "newcomer: all done") {
		t.Errorf("%v\n%s", err, said)
	}
	s := &packageSystem{t: t, form: "deb"}
	if said, err := newcomer(t, root, s.changed(deb, "postinst", "useradd", ": useradd")); err == nil {
		t.Errorf("a package without its user passes:\n%s", said)
	}
}
