package union

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// conns are the connections of one connection to its databases. While one statement reads, all that it reads of a database is of one moment,
// for SQLite keeps the moment as long as a statement of the connection is not done.
type conns struct {
	of     []*member
	open   []*memberConn // nil until it is needed
	tables int           // that use them
}

// memberConn is a connection to one database, with the statements that wait to be used again.
type memberConn struct {
	conn driver.Conn
	idle map[string][]driver.Stmt
}

// get is the connection to a database.
func (c *conns) get(m *member) (*memberConn, error) {
	if c.open[m.place] == nil {
		conn, err := m.Open.Connect(context.Background())
		if err != nil {
			return nil, fmt.Errorf("open database %s: %w", m.Name, err)
		}
		c.open[m.place] = &memberConn{conn: conn, idle: map[string][]driver.Stmt{}}
	}
	return c.open[m.place], nil
}

// close closes the connections when the last table is gone.
func (c *conns) close() (closed bool, err error) {
	if c.tables--; c.tables > 0 {
		return false, nil
	}
	for _, m := range c.open {
		if m != nil {
			for _, statements := range m.idle {
				for _, s := range statements {
					err = errors.Join(err, s.Close())
				}
			}
			err = errors.Join(err, m.conn.Close())
		}
	}
	return true, err
}

// connTable is a table of one connection.
type connTable struct {
	*table
	conns  *conns
	forget func()
	plans  map[string]*plan
}

// Disconnect implements [vtab.Table].
func (t *connTable) Disconnect() error {
	closed, err := t.conns.close()
	if closed {
		t.forget()
	}
	return err
}

// Destroy implements [vtab.Table].
func (t *connTable) Destroy() error { return t.Disconnect() }
