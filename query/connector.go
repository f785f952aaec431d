package query

import (
	"context"
	"database/sql/driver"

	"modernc.org/sqlite"

	"github.com/proctape/proctape/schema"
)

// connector opens connections to the database at a path, each as its folder is then: one that cannot be written is read without
// the files that SQLite makes beside a database.
type connector string

// Connect implements driver.Connector.
func (path connector) Connect(context.Context) (driver.Conn, error) {
	dsn, ok := schema.UnwritableDSN(string(path))
	if !ok {
		dsn = schema.ReaderDSN(string(path))
	}
	return path.Driver().Open(dsn)
}

// Driver implements driver.Connector.
func (connector) Driver() driver.Driver { return new(sqlite.Driver) }
