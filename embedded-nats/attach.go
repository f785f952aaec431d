package embeddednats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
)

// ErrNotRunning is returned by [Connect] when no server runs on the data folder.
var ErrNotRunning = errors.New("no recorder runs on the data folder")

// ErrNoLog is returned by [Attach] when the data folder holds no log.
var ErrNoLog = errors.New("there is no log in the data folder")

// Connect connects to the server that another process runs on a data folder, through the server's socket and with its
// admin key. Who may not read that, but is in the group with which the folder is shared, connects with the key of a role that is shared:
// RoleReader or RoleMember. It returns [ErrNotRunning] when none runs, and an error that is fs.ErrPermission when the folder is another
// user's. The caller closes the connection.
func Connect(dir string, shared Role, opts ...nats.Option) (*nats.Conn, error) {
	if _, err := os.ReadDir(dir); errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if _, running := Owner(dir); !running {
		return nil, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	key, err := LoadKey(AdminKeyPath(dir))
	if errors.Is(err, fs.ErrPermission) {
		key, err = LoadKey(RoleKeyPath(dir, shared))
	}
	if err != nil {
		return nil, err
	}
	opts = append(opts, key.Options()...)
	nc, err := nats.Connect("", append(opts, nats.InProcessServer(Socket(SocketPath(dir))))...)
	if err != nil {
		return nil, fmt.Errorf("connect to the recorder on %s: %w", dir, err)
	}
	return nc, nil
}

// ConnectLater is Connect for a server that does not answer now: it returns a connection at once, which tries until one answers. Only
// who may read the admin key can use it.
func ConnectLater(dir string, opts ...nats.Option) (*nats.Conn, error) {
	key, err := LoadKey(AdminKeyPath(dir))
	if err != nil {
		return nil, err
	}
	opts = append(opts, key.Options()...)
	return nats.Connect("", append(opts, nats.RetryOnFailedConnect(true), nats.InProcessServer(&notNow{to: Socket(SocketPath(dir))}))...)
}

// Attachment is a connection to a data folder's log. Close it.
type Attachment struct {
	// Conn is the connection, with the admin key, or the reader's where the folder is shared by another user. Close closes it.
	Conn *nats.Conn
	// Server is the server that Attach started; nil when another process runs one.
	Server *Server
}

// Attach connects to a data folder's log: to the server of the process that runs one on it, or else to a server that
// Attach starts on the folder and that Close ends. create says that a folder without a log gets one; without it Attach
// returns [ErrNoLog] and changes nothing. It returns an error that is fs.ErrPermission when the folder is another user's,
// and a *[lockfile.HeldError] when another process starts a server at the same time.
//
// The server that Attach starts is not watched: whoever uses it for long runs its Run too.
func Attach(ctx context.Context, cfg Config, create bool, opts ...nats.Option) (*Attachment, error) {
	if _, running := Owner(cfg.Dir); running {
		nc, err := Connect(cfg.Dir, RoleReader, opts...)
		if err != nil {
			return nil, err
		}
		return &Attachment{Conn: nc}, nil
	}
	if !create {
		if _, err := os.ReadDir(cfg.Dir); errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		if !HasLog(cfg.Dir) {
			return nil, fmt.Errorf("%w: %s", ErrNoLog, cfg.Dir)
		}
	}
	server, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	nc, err := server.Connect(opts...)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &Attachment{Conn: nc, Server: server}, nil
}

// HasLog reports whether a data folder holds a log.
func HasLog(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, storeName))
	return err == nil
}

// Close closes the connection, and ends the server that Attach started.
func (a *Attachment) Close() error {
	a.Conn.Close()
	if a.Server == nil {
		return nil
	}
	return a.Server.Close()
}
