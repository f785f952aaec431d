package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	xterm "golang.org/x/term"
)

// sqlRow is a row that a statement gives: values of database/sql.
type sqlRow struct {
	columns []column[sqlRow]
	values  []any
}

// sqlColumns are the columns of a statement's rows, under names of which no two are the same.
func sqlColumns(names []string) []column[sqlRow] {
	columns := make([]column[sqlRow], len(names))
	used := map[string]bool{}
	for i, name := range names {
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s_%d", names[i], n)
		}
		used[name] = true
		columns[i] = column[sqlRow]{name: name, head: name, text: true,
			value: func(r *sqlRow) any { return plainSQL(r.values[i]) },
			show:  func(r *sqlRow) string { return shownSQL(r.values[i]) },
		}
	}
	return columns
}

// plainSQL is a value as CSV and JSON have it: bytes in hexadecimal.
func plainSQL(v any) any {
	if b, is := v.([]byte); is {
		return hex.EncodeToString(b)
	}
	return v
}

// shownSQL is a value as a table shows it.
func shownSQL(v any) string {
	if v == nil {
		return "-"
	}
	if f, is := v.(float64); is {
		return numberSQL(f)
	}
	return fmt.Sprint(plainSQL(v))
}

// numberSQL is a number in its shortest form. What is beyond all numbers is written as SQLite does, as one that is too large.
func numberSQL(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "9e999"
	case math.IsInf(f, -1):
		return "-9e999"
	}
	text, _ := json.Marshal(f) // SQLite has no NaN
	return string(text)
}

// MarshalJSON writes the row as an object, with its columns in their order.
func (r *sqlRow) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, c := range r.columns {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := plainJSON(c.name)
		if err != nil {
			return nil, err
		}
		b = append(append(b, name...), ':')
		if f, is := r.values[i].(float64); is {
			b = append(b, numberSQL(f)...)
			continue
		}
		value, err := plainJSON(plainSQL(r.values[i]))
		if err != nil {
			return nil, err
		}
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// plainJSON is a value as other lines of JSON have it: with < and & as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// isTerminalInput reports whether somebody types what is read.
func isTerminalInput(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}
