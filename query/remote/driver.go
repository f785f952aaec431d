package remote

import (
	"bufio"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/proctape/proctape/query/remote/row"
)

// errReads is what comes of a statement that would write.
var errReads = errors.New("a recorder elsewhere is only read")

// connector makes connections of database/sql that ask a server.
type connector struct{ c *Client }

// Connect returns a connection. Nothing is sent yet.
func (c connector) Connect(context.Context) (driver.Conn, error) { return conn(c), nil }

// Driver is required by database/sql, which opens nothing by it.
func (c connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

// Open opens nothing.
func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("no server is known by a name")
}

// conn runs statements on a server. It has no state.
type conn struct{ c *Client }

// Prepare is what database/sql falls back to. The statement is sent when it is run.
func (c conn) Prepare(string) (driver.Stmt, error) { return nil, errReads }

// Close closes nothing.
func (c conn) Close() error { return nil }

// Begin begins nothing: statements that read need not be of one moment.
func (c conn) Begin() (driver.Tx, error) { return nothing{}, nil }

// nothing is a transaction that is none.
type nothing struct{}

// Commit does nothing.
func (nothing) Commit() error { return nil }

// Rollback does nothing.
func (nothing) Rollback() error { return nil }

// QueryContext runs a statement.
func (c conn) QueryContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Rows, error) {
	values := make([]any, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("a statement with named parameters cannot be asked elsewhere")
		}
		values[i] = a.Value
	}
	list, err := row.Append(nil, values)
	if err != nil {
		return nil, err
	}
	answer, err := c.c.ask(ctx, "sql", url.Values{"query": {statement}, "args": {string(list)}}, nil)
	if err != nil {
		return nil, err
	}
	r := &rows{c: c.c, answer: answer, lines: bufio.NewReaderSize(answer.Body, 64<<10)}
	head, err := r.read()
	if err == nil && head == nil {
		err = errors.New("the answer has no columns")
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, name := range head {
		text, _ := name.(string)
		r.columns = append(r.columns, text)
	}
	return r, nil
}

// rows are the rows that a server answers with, as they come.
type rows struct {
	c       *Client
	answer  *http.Response
	lines   *bufio.Reader
	columns []string
}

// Columns are the names of the columns.
func (r *rows) Columns() []string { return r.columns }

// Close gives up what has not been read.
func (r *rows) Close() error { return r.answer.Body.Close() }

// Next reads a row. An answer that ends before its end is an error.
func (r *rows) Next(dest []driver.Value) error {
	values, err := r.read()
	switch {
	case err != nil:
		return err
	case values == nil:
		return io.EOF
	case len(values) != len(dest):
		return fmt.Errorf("read the answer of %s: a row has %d values, want %d", r.c.base, len(values), len(dest))
	}
	for i, v := range values {
		dest[i] = v
	}
	return nil
}

// read reads a line; nil is the end of the answer.
func (r *rows) read() ([]any, error) {
	line, err := r.lines.ReadBytes('\n')
	if err != nil {
		return nil, &UnreachableError{r.c.base, fmt.Errorf("its answer broke off: %w", err)}
	}
	values, err := row.Parse(line)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", r.c.base, err)
	}
	return values, nil
}
