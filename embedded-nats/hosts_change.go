package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema"
)

// ErrHostExists is returned by [AddHost] for a host that has a key, ErrNoHost by [RemoveHost] for one that has none.
var (
	ErrHostExists = errors.New("the host has a key already")
	ErrNoHost     = errors.New("the host has no key")
)

// AddHost makes a key for a host and writes its seed to out. It is in force when AddHost returns, also on a server that
// runs on the data folder. The seed is kept nowhere else. It returns ErrHostExists for a host that has a key.
func AddHost(dir, name string, out io.Writer) (Host, error) {
	if !schema.ValidHost(name) || name == schema.Fleet {
		return Host{}, fmt.Errorf("host %q: want 1 to 64 of A-Z a-z 0-9 _ -, and not %q alone", name, schema.Fleet)
	}
	unlock, err := lockHosts(dir)
	if err != nil {
		return Host{}, err
	}
	defer unlock()
	hosts, err := Hosts(dir)
	if err != nil {
		return Host{}, err
	}
	if slices.ContainsFunc(hosts, func(h Host) bool { return h.Name == name }) {
		return Host{}, fmt.Errorf("%w: %s", ErrHostExists, name)
	}
	public, seed, err := newSeed()
	if err != nil {
		return Host{}, err
	}
	if _, err := out.Write(seed); err != nil {
		return Host{}, fmt.Errorf("write the key: %w", err)
	}
	if err := writeSynced(filepath.Join(hostsDir(dir), public), []byte(name+"\n")); err != nil {
		return Host{}, fmt.Errorf("register the key: %w", err)
	}
	return Host{name, public, time.Now()}, nil
}

// lockHosts makes the folder and keeps other processes from changing it. The caller calls unlock.
func lockHosts(dir string) (unlock func(), err error) {
	if err := prepareDir(dir); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(hostsDir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of hosts: %w", err)
	}
	f, err := os.Open(hostsDir(dir))
	if err != nil {
		return nil, fmt.Errorf("open the folder of hosts: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the folder of hosts: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which unlocks; it was only read
}

// RemoveHost makes a host's key worth nothing. When it returns, a server that runs on the data folder has closed the
// host's connections. It returns ErrNoHost for a host that has no key.
func RemoveHost(ctx context.Context, dir, name string) error {
	unlock, err := lockHosts(dir)
	if err != nil {
		return err
	}
	defer unlock()
	hosts, err := Hosts(dir)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return fmt.Errorf("%w: %s", ErrNoHost, name)
	}
	if err := os.Remove(filepath.Join(hostsDir(dir), hosts[i].Public)); err != nil {
		return fmt.Errorf("remove the key: %w", err)
	}
	if err := syncDir(hostsDir(dir)); err != nil {
		return fmt.Errorf("remove the key: %w", err)
	}
	return disconnectHost(ctx, dir, name)
}

// disconnectHost has the server that runs on a data folder, if one does, close a host's connections.
func disconnectHost(ctx context.Context, dir, name string) error {
	nc, err := Connect(dir, RoleAdmin)
	if errors.Is(err, ErrNotRunning) {
		return nil
	} else if err != nil {
		return fmt.Errorf("the key is removed, but its connections may still be open: %w", err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := nc.RequestWithContext(ctx, subjectDisconnect, []byte(name))
	if err != nil {
		return fmt.Errorf("the key is removed, but its connections may still be open: %w", err)
	}
	if len(answer.Data) > 0 {
		return fmt.Errorf("the key is removed, but its connections may still be open: %s", answer.Data)
	}
	return nil
}
