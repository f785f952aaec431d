package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/proctape/proctape/schema"
)

// A database of an older build lacks tables, and columns of those that it has. Only who writes it adds them, so who reads has them as temporary views
// of its connections: with the columns' defaults, which are NULL for what is unknown, and of a table with no row. Its steps of migration would do no more.

// oldestCompleted is the oldest version that is completed: the steps up to it also changed rows.
const oldestCompleted = 7

// completion returns the statements that give a connection to a database what it lacks of this build's tables.
func completion(ctx context.Context, db *sql.DB) ([]string, error) {
	has, err := columnsOf(ctx, db)
	if err != nil {
		return nil, err
	}
	wants, err := newestColumns()
	if err != nil {
		return nil, err
	}
	var statements []string
	for _, table := range wants.names {
		if s := completed(table, has.of[table], wants.of[table]); s != "" {
			statements = append(statements, s)
		}
	}
	view, _ := strings.CutPrefix(schema.MetricsView(), "CREATE ")
	return append(statements, "CREATE TEMP "+view), nil
}

// newestColumns are those of this build's tables, of which one database is made, in memory.
var newestColumns = sync.OnceValues(func() (columns, error) {
	ctx := context.Background()
	newest, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return columns{}, err
	}
	defer newest.Close()
	newest.SetMaxOpenConns(1) // each would be a database of its own
	conn, err := newest.Conn(ctx)
	if err != nil {
		return columns{}, err
	}
	if err := errors.Join(schema.Migrate(ctx, conn), conn.Close()); err != nil {
		return columns{}, err
	}
	return columnsOf(ctx, newest)
})

// completed returns the statement that makes a view of a table with the columns that it lacks; empty when it lacks none.
func completed(table string, has, wants []column) string {
	there := map[string]bool{}
	for _, c := range has {
		there[c.name] = true
	}
	var more []string
	for _, c := range wants {
		if !there[c.name] {
			more = append(more, fmt.Sprintf("%s AS %s", c.value, c.name))
		}
	}
	switch {
	case len(more) == 0:
		return ""
	case len(has) == 0:
		return fmt.Sprintf(`CREATE TEMP VIEW %s AS SELECT %s WHERE 0`, table, strings.Join(more, ", "))
	}
	return fmt.Sprintf(`CREATE TEMP VIEW %[1]s AS SELECT *, %[2]s FROM main.%[1]s`, table, strings.Join(more, ", "))
}

// columns are those of the tables of a database.
type columns struct {
	names []string // of the tables
	of    map[string][]column
}

// column is one, with the SQL of its default.
type column struct{ name, value string }

// columnsOf reads which columns the tables of a database have.
func columnsOf(ctx context.Context, db *sql.DB) (columns, error) {
	all := columns{of: map[string][]column{}}
	err := schema.EachRow(ctx, db, `SELECT t.name, c.name, coalesce(c.dflt_value, 'NULL') FROM sqlite_master t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid`, func(r *sql.Rows) error {
		var table string
		var c column
		err := r.Scan(&table, &c.name, &c.value)
		if all.of[table] == nil {
			all.names = append(all.names, table)
		}
		all.of[table] = append(all.of[table], c)
		return err
	})
	return all, err
}

// completingConnector opens connections to a database of an older build, each with what that lacks.
type completingConnector struct {
	driver.Connector
	completion []string
}

// Connect implements driver.Connector.
func (c completingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	on, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver runs no statement on a connection"), conn.Close())
	}
	for _, s := range append(append([]string{`PRAGMA query_only = 0`}, c.completion...), `PRAGMA query_only = 1`) { // the file stays as it is: it is opened read-only
		if _, err := on.ExecContext(ctx, s, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("complete a database of an older build: %w", err), conn.Close())
		}
	}
	return conn, nil
}
