package store

import (
	"database/sql"
	"database/sql/driver"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// optional is a value as SQL has it: NULL for unknown.
func optional(o schema.Opt[int64]) driver.Value {
	if !o.Known {
		return nil
	}
	return o.V
}

// optionalText is a text as SQL has it: NULL for none.
func optionalText(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// optionalTime is a time as SQL has it, Unix seconds: NULL for none.
func optionalTime(ns int64) driver.Value {
	if ns == 0 {
		return nil
	}
	return schema.Timestamp(ns)
}

// measured is a metric's value as SQL has it: NULL for unknown, and for the default of a letter, which most are.
func measured(id metric.ID, v schema.Opt[int64]) driver.Value {
	m := &metric.Table[id]
	switch {
	case !v.Known, m.Kind == metric.Letter && v.V == m.Default:
		return nil
	case m.Kind == metric.Letter:
		return schema.Letter(v.V)
	}
	return v.V
}

// fromNull is a value of SQL: NULL is unknown.
func fromNull(v sql.NullInt64) schema.Opt[int64] {
	return schema.Opt[int64]{V: v.Int64, Known: v.Valid}
}
