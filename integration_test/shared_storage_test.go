package integration_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharesOverlays takes an overlay for storage that machines share.
var sharesOverlays = withFault("shares-overlays", "schema/lockfile/machine.go", "slices.Contains(local, int64(st.Type))",
	`slices.Contains(local, int64(st.Type)) && !(runsAs("shares-overlays") && st.Type == unix.OVERLAYFS_SUPER_MAGIC)`)

// sharedStorage is two machines with one folder, and a log that both reach. The folder is two overlays over one: what one machine writes the other reads, and a lock of the one
// is none for the other. So it stands for storage that passes no locks on, which the kernel here has none of, for a program that takes an overlay for that.
type sharedStorage struct {
	*namespaces
	at string // the log's server
}

func newSharedStorage(t *testing.T) *sharedStorage {
	t.Helper()
	s := &sharedStorage{namespaces: newNamespaces(t, "log", "one", "two")}
	for _, dir := range []string{"lower", "upper", "one/work", "one/mnt", "two/work", "two/mnt"} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.run("one", s.mounted("one", "true")); err != nil {
		t.Skipf("SKIPPED: no overlay can be mounted here: %s", out)
	}
	conf := s.path("conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listen: 0.0.0.0:4222\njetstream { store_dir: %q }\n", s.path("log", "store")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.startServer("log", conf)
	s.at = "nats://" + s.address(0) + ":4222"
	await(t, "a log with ten snapshots", func() bool { return s.simulate() == nil })
	return s
}

// simulate puts ten snapshots more into the log.
func (s *sharedStorage) simulate() error {
	out, err := s.namespaces.run("log", proctape+" simulate --hosts 1 --processes 3 --duration 50s --rate fast --server "+s.at)
	if err != nil {
		return errors.New(out)
	}
	return nil
}

// mounted is a command line of a machine that has the folder.
func (s *sharedStorage) mounted(host, line string) string {
	return fmt.Sprintf("sh -c 'mount -t overlay overlay -o lowerdir=%s,upperdir=%s,workdir=%s %s && exec %s'", s.path("lower"), s.path("upper"), s.path(host, "work"), s.mount(host), line)
}

func (s *sharedStorage) mount(host string) string { return s.path(host, "mnt") }

// project is a command line that projects into the folder's database.
func (s *sharedStorage) project(host, program string) string {
	return s.mounted(host, program+" project --server "+s.at+" --db "+filepath.Join(s.mount(host), "monitor.db"))
}

// refused checks that a machine may not project, and is told who does.
func (s *sharedStorage) refused(host string) {
	s.t.Helper()
	out, err := s.run(host, s.project(host, sharesOverlays.program(s.t)))
	if err == nil || !strings.Contains(out, "the machine one writes") || !strings.Contains(out, "hint: ") {
		s.t.Errorf("a second machine: %v, %s", err, out)
	}
}

// TestShared_TwoMachines has two machines project into one database on storage that both have, and that passes no locks on: the second is refused while the first goes on, and
// after it was killed; it takes over what the first released, and goes on where that was. Control: the program as it is, for which an overlay is of one machine: it trusts the lock.
func TestShared_TwoMachines(t *testing.T) {
	t.Parallel()
	long(t)
	s := newSharedStorage(t)
	program := sharesOverlays.program(t)
	one := s.start("one", s.project("one", program))
	one.awaitLine("is projecting")
	s.refused("two")
	one.cmd.Process.Kill()
	one.wait()
	s.refused("two")
	one = s.start("one", s.project("one", program))
	one.awaitLine("is projecting") // it is the same machine
	one.stop()
	if err := s.simulate(); err != nil {
		t.Fatal(err)
	}
	two := s.start("two", s.project("two", program))
	two.awaitLine("is projecting")
	two.stop()
	db := s.path("upper", "monitor.db")
	if n, twice := count(t, db, `SELECT sum(stored) FROM producers WHERE kind = 'snapshot'`), count(t, db, `SELECT sum(missing + duplicates) FROM producers`); n != 20 || twice != 0 {
		t.Errorf("%d of 20 snapshots are stored, %d items are missing or were read twice", n, twice)
	}
	one = s.start("one", s.project("one", program))
	one.awaitLine("is projecting")
	trusting := s.start("two", s.project("two", proctape))
	trusting.awaitLine("is projecting") // the control: nobody keeps it out
	for _, p := range []*process{one, trusting} {
		p.cmd.Process.Kill()
	}
}
