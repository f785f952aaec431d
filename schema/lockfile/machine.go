package lockfile

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machines may share storage that does not pass locks on from one to the other. There the file also says which machine has the lock: another machine takes it only when it
// was released.

// local are the file systems that one machine has, by their magic numbers (statfs(2), linux/magic.h, and ZFS's and bcachefs's own). An overlay is what a container has as its
// root: what it writes to has to be of one machine.
var local = []int64{unix.OVERLAYFS_SUPER_MAGIC, unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.F2FS_SUPER_MAGIC, 0x2fc12fc1, 0xca451a4e}

// settles is how long two machines that take a lock at once need to see each other's name: a client of NFS may show for three seconds what was there before (acregmin, nfs(5)).
const settles = 4 * time.Second

// isLocal reports whether a file is on storage that no other machine has.
func isLocal(f *os.File) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &st) == nil && slices.Contains(local, int64(st.Type))
}

// thisMachine is the name of this machine and what stays of it over a restart: /etc/machine-id, where there is one.
func thisMachine() string {
	name, err := os.Hostname()
	if err != nil {
		name = "?"
	}
	id, _ := os.ReadFile("/etc/machine-id") // a container has none, and is told by its name
	return strings.ReplaceAll(name, " ", "") + " " + strings.TrimSpace(string(id))
}

// content is what a lock file says: who holds the lock, or who released it.
type content struct {
	pid      string
	machine  string
	released bool
}

// The lines of a lock file below the pid.
const (
	heldOn     = "held on "
	releasedOn = "released on "
)

func readContent(f *os.File) (c content) {
	b, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 512), 512))
	if err != nil {
		return content{}
	}
	pid, rest, _ := strings.Cut(string(b), "\n")
	c.pid = strings.TrimSpace(pid)
	rest, _, _ = strings.Cut(rest, "\n")
	if machine, ok := strings.CutPrefix(rest, heldOn); ok {
		c.machine = machine
	} else if machine, ok := strings.CutPrefix(rest, releasedOn); ok {
		c.machine, c.released = machine, true
	}
	return c
}

func writeContent(f *os.File, c content) error {
	state := heldOn
	if c.released {
		state = releasedOn
	}
	text := fmt.Sprintf("%s\n%s%s\n", c.pid, state, c.machine)
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// claim writes into a file, whose lock this machine gave, that this machine has it. Where machines share the storage it is an error that another one has it, and two
// that come at once have one of them go.
func claim(f *os.File, pid string) error {
	was, own := readContent(f), content{pid: pid, machine: thisMachine()}
	shared := !isLocal(f)
	if shared && was.machine != "" && was.machine != own.machine && !was.released {
		return &HeldError{Path: f.Name(), Machine: name(was.machine)}
	}
	if err := writeContent(f, own); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if !shared || was.machine == own.machine {
		return nil
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	time.Sleep(settles)
	again, err := os.Open(f.Name()) // which has a client of NFS ask its server
	if err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	defer again.Close()
	if is := readContent(again); is != own {
		return &HeldError{Path: f.Name(), Machine: name(is.machine)}
	}
	return nil
}

// name is the name of a machine.
func name(machine string) string {
	name, _, _ := strings.Cut(machine, " ")
	return name
}
