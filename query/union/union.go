// Package union makes several databases answer as one: a connection to no file, whose tables are those of all of them (virtual tables,
// sqlite.org/vtab.html) and whose views are theirs. A condition that an index serves is handed on to each database that can have such rows, so a
// look-up by a key costs one look-up in one of them. Nothing is copied and nothing is written (docs/adr/0040-several-databases.md).
//
// Databases of one log have the same ids, for a row's id is made of the sequence of its message; only processes are counted by each
// database itself. So a database is told from the others by an offset: of its log for ids of messages, its own for ids of processes.
package union

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"modernc.org/sqlite"
	"modernc.org/sqlite/vtab"
)

// Most is how many databases answer as one, at most: so many logs have room in an id.
const Most = 16

// Union is several databases as one. It is a [driver.Connector]; a connection has connections of its own to the databases.
type Union struct {
	members []*member
	tables  []*table
	views   []string
	version int
	driver  *sqlite.Driver

	mu    sync.Mutex
	conns map[string]*conns // by the number that their tables are made with
	last  int
}

// Open reads what tables the members have. It returns a [*HostError], a [*VersionError] or a [*JobError] when they cannot be one.
func Open(ctx context.Context, of []Member) (*Union, error) {
	if len(of) > Most {
		return nil, fmt.Errorf("%d databases, and %d can be asked as one", len(of), Most)
	}
	u := &Union{driver: new(sqlite.Driver), conns: map[string]*conns{}}
	for _, m := range of {
		db := sql.OpenDB(m.Open)
		read, err := readMember(ctx, db, m)
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, fmt.Errorf("open database %s: %w", m.Name, err)
		}
		u.members = append(u.members, read)
	}
	if err := relate(u.members); err != nil {
		return nil, err
	}
	u.version = u.members[0].version
	u.tables, u.views = common(u.members)
	return u, u.driver.RegisterModule(module, tables{u})
}

// Driver implements [driver.Connector].
func (u *Union) Driver() driver.Driver { return u.driver }

// Connect implements [driver.Connector].
func (u *Union) Connect(ctx context.Context) (driver.Conn, error) {
	u.mu.Lock()
	u.last++
	number := strconv.Itoa(u.last)
	u.conns[number] = &conns{of: u.members, open: make([]*memberConn, len(u.members)), tables: len(u.tables)}
	u.mu.Unlock()
	conn, err := u.driver.Open(":memory:")
	if err != nil {
		return nil, err
	}
	statements := make([]string, 0, len(u.tables)+len(u.views)+2)
	for _, t := range u.tables {
		statements = append(statements, `CREATE VIRTUAL TABLE `+t.name+` USING `+module+`(`+number+`)`)
	}
	statements = append(statements, u.views...)
	statements = append(statements, `PRAGMA user_version = `+strconv.Itoa(u.version), `PRAGMA query_only = 1`)
	for _, s := range statements {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, s, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("put databases together: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// module is what SQLite knows the tables' code by.
const module = "proctape_union"

// tables is the code of the tables.
type tables struct{ u *Union }

// Create implements [vtab.Module]: it makes a table of one connection.
func (m tables) Create(c vtab.Context, args []string) (vtab.Table, error) {
	m.u.mu.Lock()
	defer m.u.mu.Unlock()
	for _, t := range m.u.tables {
		if len(args) == 4 && t.name == args[2] {
			return &connTable{table: t, conns: m.u.conns[args[3]], forget: func() { m.u.forget(args[3]) }}, c.Declare(t.declaration())
		}
	}
	return nil, fmt.Errorf("no table %q", args)
}

// Connect implements [vtab.Module].
func (m tables) Connect(c vtab.Context, args []string) (vtab.Table, error) { return m.Create(c, args) }

// forget forgets the connections of a connection that was closed.
func (u *Union) forget(number string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.conns, number)
}
