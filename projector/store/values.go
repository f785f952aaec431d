package store

import (
	"database/sql"
	"database/sql/driver"

	"github.com/proctape/proctape/schema"
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

// optionalState is a process's state as SQL has it: NULL for S, which most are in.
func optionalState(state string) driver.Value {
	if state == "S" {
		return nil
	}
	return state
}

// fromNull is a value of SQL: NULL is unknown.
func fromNull(v sql.NullInt64) schema.Opt[int64] {
	return schema.Opt[int64]{V: v.Int64, Known: v.Valid}
}
