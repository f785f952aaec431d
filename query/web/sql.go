package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/remote/row"
)

// paramsOfSQL are the parameters of a statement.
var paramsOfSQL = []param{
	text("query", "a statement that reads rows, as SQLite takes it", func(q *question, s string) { q.statement = s }),
	{"args", "the values of its parameters, as an array of JSON; a whole number has no point, and another number has one", ofText, nil, func(q *question, s string) (err error) {
		if q.args, err = row.Parse([]byte(s)); err == nil && q.args == nil {
			err = errors.New("want an array")
		}
		return err
	}},
}

// StatementTime is how long a statement that somebody asks over HTTP may run.
const StatementTime = 30 * time.Second

// sql answers with the rows of a statement, a line each: first the names of the columns, and null behind the last one. An answer that
// could not come to its end has no null. It is what the program's own commands ask with --url.
func (s *Server) sql(w http.ResponseWriter, r *http.Request) {
	q := s.question()
	err := read(q, r.URL.Query(), paramsOfSQL)
	if err == nil && q.statement == "" {
		err = badParameter("query", "it is missing", "say which rows to read")
	}
	if err != nil {
		refuse(w, s.problemOf(r, err))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), StatementTime)
	defer cancel()
	begun := false
	err = query.ForeignRows(ctx, s.cfg.DB, q.statement, q.args, func(rows *sql.Rows) error {
		begun = true
		return writeRows(w, r, rows)
	})
	var wrong *query.StatementError
	switch {
	case err == nil:
		return
	case begun:
		s.cfg.Logger.Debug("a statement did not come to its end", "error", err)
		panic(http.ErrAbortHandler) // whoever asked is not to take this for all rows
	case errors.Is(err, query.ErrNotARead):
		err = badParameter("query", err.Error(), "nothing can be changed here")
	case errors.Is(err, query.ErrNotOne):
		err = badParameter("query", err.Error(), "ask for each by itself")
	case errors.As(err, &wrong):
		err = badParameter("query", err.Error(), "the tables are those of the database")
	}
	refuse(w, s.problemOf(r, err))
}

// writeRows writes rows as they are read.
func writeRows(w http.ResponseWriter, r *http.Request, rows *sql.Rows) error {
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	to := io.Writer(deadlineWriter{w, http.NewResponseController(w)})
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(to, gzip.BestSpeed) // the level is one
		defer packed.Close()                                 // whoever asked misses the last row when this fails
		to = packed
	}
	out := bufio.NewWriterSize(to, 32<<10)
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i, name := range columns {
		values[i], into[i] = name, &values[i]
	}
	var line []byte
	put := func() error {
		if line, err = row.Append(line[:0], values); err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		return err
	}
	if err := put(); err != nil {
		return err
	}
	for rows.Next() {
		if err := errors.Join(rows.Scan(into...), put()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if _, err := out.WriteString(row.End); err != nil {
		return err
	}
	return out.Flush()
}

// deadlineWriter gives each piece of an answer its time to be taken.
type deadlineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Write writes a piece.
func (d deadlineWriter) Write(b []byte) (int, error) {
	_ = d.control.SetWriteDeadline(time.Now().Add(writeTime)) // a recorder in a test has none
	return d.w.Write(b)
}
