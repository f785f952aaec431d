package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// Bounds of a foreign statement.
const (
	foreignAtOnce = 4        // statements
	foreignText   = 64 << 10 // bytes of its text
	foreignValue  = 16 << 20 // bytes of one value
)

// openForeign opens the connections on which statements from elsewhere run.
func openForeign(to driver.Connector) *sql.DB {
	db := sql.OpenDB(guardedConnector{to})
	db.SetMaxOpenConns(foreignAtOnce)
	db.SetConnMaxLifetime(10 * time.Second) // as of the database's own connections
	return db
}

// authorizeRead allows what a statement that reads rows consists of.
func authorizeRead(action sqlite.AuthorizerActionCode, name, of, _, _ string) sqlite.AuthorizerReturnCode {
	allowed := false
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRecursive:
		allowed = true
	case sqlite.AuthRead: // not the pages of the file, nor what the library tells of itself
		name = strings.ToLower(name)
		allowed = !strings.HasPrefix(name, "pragma_") && !slices.Contains([]string{"dbstat", "sqlite_dbpage", "sqlite_stmt", "bytecode", "tables_used"}, name)
	case sqlite.AuthFunction:
		allowed = !slices.Contains([]string{"load_extension", "fts3_tokenizer", "zeroblob", "randomblob"}, strings.ToLower(of))
	case sqlite.AuthPragma: // whoever reads wants to know what tables there are
		allowed = strings.EqualFold(name, "user_version") && of == ""
	}
	if allowed {
		return sqlite.AuthorizerOK
	}
	return sqlite.AuthorizerDeny
}

// guardedConnector opens connections that refuse what is not a read.
type guardedConnector struct{ driver.Connector }

// Connect implements driver.Connector.
func (g guardedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	guarded, ok := conn.(sqlite.AuthorizerRegisterer)
	if !ok {
		return nil, errors.Join(errors.New("the driver cannot guard a connection"), conn.Close())
	}
	if err := guarded.RegisterAuthorizer(authorizeRead); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
