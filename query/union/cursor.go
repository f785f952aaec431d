package union

import (
	"bytes"
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"modernc.org/sqlite/vtab"
)

// reading is the rows of one database.
type reading struct {
	of     *member
	conn   *memberConn
	text   string
	stmt   driver.Stmt
	rows   driver.Rows
	values []driver.Value // of the row that it is at
}

// cursor goes through a table: the rows of one database after the other, or merged where they have an order.
type cursor struct {
	*connTable
	plan   *plan
	values []vtab.Value // of the conditions
	next   int          // the database that is read after those that are
	heads  []*reading   // which are at a row
	at     int          // the row of which of them it is
}

// Open implements [vtab.Table].
func (t *connTable) Open() (vtab.Cursor, error) { return &cursor{connTable: t}, nil }

// Filter implements [vtab.Cursor].
func (c *cursor) Filter(_ int, text string, values []vtab.Value) error {
	if err := c.Close(); err != nil {
		return err
	}
	if c.plan = c.plans[text]; c.plan == nil {
		c.plan = parsePlan(text, len(c.columns))
		if c.plans == nil {
			c.connTable.plans = map[string]*plan{}
		}
		c.plans[text] = c.plan
	}
	c.values, c.next, c.at = append(c.values[:0], values...), 0, 0
	for len(c.plan.order) > 0 && c.next < len(c.conns.of) {
		if err := c.open(); err != nil {
			return err
		}
	}
	return c.choose()
}

// open begins to read the next database.
func (c *cursor) open() error {
	m := c.conns.of[c.next]
	c.next++
	text, args := c.statement(m)
	if text == "" {
		return nil
	}
	conn, err := c.conns.get(m)
	if err != nil {
		return err
	}
	r := &reading{of: m, conn: conn, text: text, values: make([]driver.Value, len(c.plan.columns))}
	if idle := conn.idle[text]; len(idle) > 0 {
		r.stmt, conn.idle[text] = idle[len(idle)-1], idle[:len(idle)-1]
	} else if r.stmt, err = conn.conn.Prepare(text); err != nil {
		return fmt.Errorf("read %s of %s: %w", c.name, m.Name, err)
	}
	if r.rows, err = r.stmt.(driver.StmtQueryContext).QueryContext(context.Background(), args); err != nil {
		return errors.Join(fmt.Errorf("read %s of %s: %w", c.name, m.Name, err), r.stmt.Close())
	}
	c.heads = append(c.heads, r)
	return c.step(len(c.heads) - 1)
}

// statement is what a database is asked, empty when it has no such row.
func (c *cursor) statement(m *member) (text string, args []driver.NamedValue) {
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, column := range c.plan.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		if c.lacks[m.place][column] {
			b.WriteString("NULL AS ")
		}
		b.WriteString(`"` + c.columns[column] + `"`)
	}
	b.WriteString(" FROM " + c.name + " WHERE 1")
	if hidden := c.hides[m.place]; hidden != "" {
		b.WriteString(" AND " + hidden)
	}
	given := 0
	for _, w := range c.plan.conditions {
		var value vtab.Value
		if w.given {
			value = c.values[given]
			given++
		}
		as, value, can := c.asked(m, w, value)
		if !can {
			return "", nil
		}
		b.WriteString(as)
		if strings.HasSuffix(as, "?") {
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: value})
		}
	}
	for i, o := range c.plan.order {
		b.WriteString([]string{" ORDER BY ", ", "}[min(i, 1)] + `"` + c.columns[o.Column] + `"`)
		if o.Desc {
			b.WriteString(" DESC")
		}
	}
	return b.String(), args
}

// asked is how a condition is asked of a database: nothing where who asked has to check it alone. can is false when no row of it meets it.
func (c *cursor) asked(m *member, w condition, value vtab.Value) (as string, in vtab.Value, can bool) {
	id, isInt := value.(int64)
	o := c.offsets[w.column]
	switch {
	case c.lacks[m.place][w.column]: // it is unknown here
		return "", nil, true
	case !w.given:
		return ` AND "` + c.columns[w.column] + `" ` + w.op, nil, true
	case o != own && !isInt && value != nil:
		return "", nil, true
	case id == never: // as a literal it has the partial index used
		return ` AND "` + c.columns[w.column] + `" ` + w.op + " 4611686018427387904", nil, true
	case o != own && isInt:
		id = o.in(m.origin, id)
		if value = id; w.op == "=" && (id < 0 || id >= o.room()) {
			return "", nil, false
		}
	case w.op == "=" && isInt && c.columns[w.column] == "host_id" && !m.has(id):
		return "", nil, false
	}
	return ` AND "` + c.columns[w.column] + `" ` + w.op + " ?", value, true
}

// step goes to the next row of a database, which is done after the last.
func (c *cursor) step(head int) error {
	r := c.heads[head]
	err := r.rows.Next(r.values)
	if err == nil {
		for i, column := range c.plan.columns {
			if id, ok := r.values[i].(int64); ok && c.offsets[column] != own {
				r.values[i] = c.offsets[column].out(r.of.origin, id)
			}
		}
		return nil
	}
	c.heads = append(c.heads[:head], c.heads[head+1:]...)
	done := r.close()
	if errors.Is(err, io.EOF) {
		return done
	}
	return fmt.Errorf("read %s of %s: %w", c.name, r.of.Name, err)
}

// close keeps the statement for the next time.
func (r *reading) close() error {
	err := r.rows.Close()
	if err != nil {
		return errors.Join(err, r.stmt.Close())
	}
	r.conn.idle[r.text] = append(r.conn.idle[r.text], r.stmt)
	return nil
}

// choose finds the row that comes next.
func (c *cursor) choose() error {
	for len(c.heads) == 0 && c.next < len(c.conns.of) {
		if err := c.open(); err != nil {
			return err
		}
	}
	c.at = 0
	for i := 1; i < len(c.heads); i++ {
		if c.before(c.heads[i], c.heads[c.at]) {
			c.at = i
		}
	}
	return nil
}

// before reports whether the row of one database comes before that of another.
func (c *cursor) before(a, b *reading) bool {
	for _, o := range c.plan.order {
		n := compare(a.values[c.plan.at[o.Column]], b.values[c.plan.at[o.Column]])
		if o.Desc {
			n = -n
		}
		if n != 0 {
			return n < 0
		}
	}
	return false
}

// compare compares as SQLite does: what is unknown, numbers, texts, bytes (sqlite.org/datatype3.html, 4.1).
func compare(a, b driver.Value) int {
	class := func(v driver.Value) int {
		switch v.(type) {
		case nil:
			return 0
		case int64, float64:
			return 1
		case string:
			return 2
		}
		return 3
	}
	if n := cmp.Compare(class(a), class(b)); n != 0 || a == nil {
		return n
	}
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(float64(a), b.(float64))
	case float64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, float64(b))
		}
		return cmp.Compare(a, b.(float64))
	case string:
		return cmp.Compare(a, b.(string))
	}
	return bytes.Compare(a.([]byte), b.([]byte))
}

// Next implements [vtab.Cursor].
func (c *cursor) Next() error {
	if err := c.step(c.at); err != nil {
		return err
	}
	return c.choose()
}

// Eof implements [vtab.Cursor].
func (c *cursor) Eof() bool { return len(c.heads) == 0 }

// Column implements [vtab.Cursor].
func (c *cursor) Column(column int) (vtab.Value, error) {
	if at := c.plan.at[column]; at >= 0 {
		return c.heads[c.at].values[at], nil
	}
	return nil, nil
}

// Rowid implements [vtab.Cursor]: the row's id, or a number made of its key.
func (c *cursor) Rowid() (int64, error) {
	values := c.heads[c.at].values
	if len(c.primary) == 1 {
		if id, ok := values[c.plan.at[c.primary[0]]].(int64); ok {
			return id, nil
		}
	}
	h := fnv.New64a()
	fmt.Fprint(h, c.heads[c.at].of.place)
	for _, k := range c.primary {
		fmt.Fprintf(h, "\x00%v", values[c.plan.at[k]])
	}
	return int64(h.Sum64() >> 1), nil
}

// Close implements [vtab.Cursor].
func (c *cursor) Close() (err error) {
	for _, r := range c.heads {
		err = errors.Join(err, r.close())
	}
	c.heads = nil
	return err
}
