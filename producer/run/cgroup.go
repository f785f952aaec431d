package run

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// leaf is a control group of version 2 made for one command, man cgroups(7).
type leaf struct {
	dir  string // the directory
	path string // its path in the hierarchy, as in /proc/PID/cgroup
	fd   int    // the directory, open
}

// makeLeaf makes a group below our own. It fails where there is no version 2 hierarchy, where it is mounted read-only or
// belongs to another user, and where our group has been removed.
func makeLeaf(name string) (*leaf, error) {
	dir, own, err := ownGroup()
	if err != nil {
		return nil, err
	}
	removeLeftBeside(dir)
	base := leafName(name, os.Getpid())
	l := &leaf{dir: filepath.Join(dir, base), path: path.Join(own, base)}
	if err := os.Mkdir(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make control group: %w", err)
	}
	l.fd, err = unix.Open(l.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open control group %s: %w", l.dir, err), os.Remove(l.dir))
	}
	return l, nil
}

// remove removes the group unless processes are in it, and reports whether it is gone. Zombies do not count, but on some
// kernels a process that has been waited for is in its group for a moment longer: remove tries for as long as patience.
func (l *leaf) remove(patience time.Duration) (gone bool) {
	unix.Close(l.fd)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := unix.Rmdir(l.dir)
		if err != unix.EBUSY || !time.Now().Before(deadline) {
			return err == nil || err == unix.ENOENT
		}
	}
}
