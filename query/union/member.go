package union

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/proctape/proctape/schema"
)

// Member is one of the databases.
type Member struct {
	Name string // for errors: its path
	Open driver.Connector
}

// member is what is known of a database.
type member struct {
	Member
	version int
	tables  []*table
	views   []string
	streams map[string]stream
	hosts   map[int64]string // without the fleet's
	fleet   int64            // the fleet's host; 0 when nothing is said of it
	jobs    []string         // of the fleet
	gaps    string           // gaps of no host, as values of SQL

	origin
	first bool // of the databases of its log, it tells what is said of no host
}

// fleetID is the fleet's host in each of the databases.
const fleetID = `(SELECT id FROM hosts WHERE name = '` + schema.Fleet + `')`

// stream is one of the log, and where the rows of its messages begin.
type stream struct{ epoch, created, base, seq int64 }

// readMember reads what tables a database has, and of which log and hosts it is.
func readMember(ctx context.Context, db *sql.DB, of Member) (*member, error) {
	m := &member{Member: of, streams: map[string]stream{}, hosts: map[int64]string{}}
	version, err := schema.CheckVersion(ctx, db)
	if err != nil {
		return nil, err
	}
	m.version = version
	if m.tables, m.views, err = readTables(ctx, db); err != nil {
		return nil, err
	}
	err = schema.EachRow(ctx, db, `SELECT stream, epoch, created, id_base, seq FROM checkpoints`, func(r *sql.Rows) error {
		var name string
		var s stream
		err := r.Scan(&name, &s.epoch, &s.created, &s.base, &s.seq)
		m.streams[name] = s
		return err
	})
	if err != nil {
		return nil, err
	}
	err = schema.EachRow(ctx, db, `SELECT id, name FROM hosts`, func(r *sql.Rows) error {
		var id int64
		var name string
		err := r.Scan(&id, &name)
		if name == schema.Fleet {
			m.fleet = id
		} else {
			m.hosts[id] = name
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = schema.EachRow(ctx, db, `SELECT job_id FROM jobs WHERE host_id = `+fleetID, func(r *sql.Rows) error {
		var job string
		err := r.Scan(&job)
		m.jobs = append(m.jobs, job)
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, db.QueryRowContext(ctx, `SELECT coalesce(group_concat(format('(%Q,%d,%d,%d)', stream, epoch, at_seq, n)), '') FROM gaps WHERE host_id IS NULL`).Scan(&m.gaps)
}

// has reports whether the database has something of a host.
func (m *member) has(host int64) bool { return m.hosts[host] != "" || host == m.fleet }

// sameLog reports whether two databases are of one log: rows of a message have the same id in both.
func (m *member) sameLog(n *member) bool {
	shared := 0
	for name, s := range m.streams {
		if t, ok := n.streams[name]; ok {
			shared++
			if s.epoch != t.epoch || s.created != t.created || s.base != t.base {
				return false
			}
		}
	}
	return shared > 0
}

// width is how many columns the database's tables have.
func (m *member) width() (n int) {
	for _, t := range m.tables {
		n += len(t.columns)
	}
	return n
}
