package bundle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/proctape/proctape/schema"
)

// hidden are the columns that tokens replace, and how their text is taken apart.
var hidden = []struct {
	table, column string
	token         func(*tokens, string) string
}{
	{"processes", "command", (*tokens).command}, {"processes", "cgroup", (*tokens).path},
	{"process_events", "command", (*tokens).command}, {"process_events", "details", (*tokens).text},
	{"process_execs", "command", (*tokens).command},
	{"job_events", "command", (*tokens).command}, {"job_events", "details", (*tokens).text},
	{"jobs", "command", (*tokens).command},
	{"runs", "command", (*tokens).command}, {"runs", "details", (*tokens).text},
	{"run_records", "command", (*tokens).command}, {"run_records", "details", (*tokens).text},
	{"anomalies", "command", (*tokens).command}, {"anomalies", "cgroup", (*tokens).path}, {"anomalies", "description", (*tokens).text},
	{"rollup_processes", "command", (*tokens).command},
	{"program_minutes", "program", (*tokens).program},
}

// tokens makes tokens of texts: the same of the same text and key, and without the key nobody can try which text a token is of.
type tokens struct{ key []byte }

// token is the token of a text of a kind.
func (t *tokens) token(kind, text string) string {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte(kind + "\x00" + text))
	return kind + "-" + hex.EncodeToString(h.Sum(nil)[:6])
}

// program is the token of a program's name.
func (t *tokens) program(name string) string {
	if name == "" {
		return ""
	}
	return t.token("p", name)
}

// command are the tokens of a command line: of its program, as lists by program know it, and of its arguments.
func (t *tokens) command(line string) string {
	if line == "" {
		return ""
	}
	if strings.HasPrefix(line, "[") { // a kernel thread, or a process without arguments
		return t.program(line)
	}
	first, rest, more := strings.Cut(line, " ")
	name := first[strings.LastIndexByte(first, '/')+1:]
	out := t.program(strings.TrimSuffix(name, ":"))
	if more {
		out += " " + t.token("a", rest)
	}
	return out
}

// path are the tokens of the elements of a path.
func (t *tokens) path(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part != "" {
			parts[i] = t.token("g", part)
		}
	}
	return strings.Join(parts, "/")
}

// text is the token of any text.
func (t *tokens) text(text string) string {
	if text == "" {
		return ""
	}
	return t.token("d", text)
}

// replace replaces the texts of all tables by tokens.
func (t *tokens) replace(ctx context.Context, conn *sql.Conn) error {
	for _, h := range hidden {
		var texts []string
		err := schema.EachRow(ctx, conn, fmt.Sprintf(`SELECT DISTINCT %[2]s FROM %[1]s WHERE %[2]s IS NOT NULL`, h.table, h.column), func(rows *sql.Rows) error {
			var text string
			err := rows.Scan(&text)
			texts = append(texts, text)
			return err
		})
		if err == nil {
			err = replaceIn(ctx, conn, h.table, h.column, texts, func(text string) string { return h.token(t, text) })
		}
		if err != nil {
			return fmt.Errorf("replace %s of %s by tokens: %w", h.column, h.table, err)
		}
	}
	return nil
}

// replaceIn replaces texts of a column.
func replaceIn(ctx context.Context, conn *sql.Conn, table, column string, texts []string, token func(string) string) error {
	for _, statement := range []string{`CREATE TEMP TABLE IF NOT EXISTS replaced (was TEXT PRIMARY KEY, is_now TEXT NOT NULL) WITHOUT ROWID`, `DELETE FROM temp.replaced`} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	for _, text := range texts {
		if _, err := conn.ExecContext(ctx, `INSERT INTO temp.replaced VALUES (?, ?)`, text, token(text)); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, fmt.Sprintf(`UPDATE OR REPLACE %[1]s SET %[2]s = (SELECT is_now FROM temp.replaced WHERE was = %[1]s.%[2]s) WHERE %[2]s IS NOT NULL`, table, column))
	return err
}
