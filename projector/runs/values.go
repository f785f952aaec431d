package runs

import (
	"fmt"
	"math"

	"github.com/proctape/proctape/schema"
)

// moment is a time of the tables, in Unix nanoseconds. It is rounded to microseconds, so that it stays the same through tables and messages.
type moment int64

// Scan implements [sql.Scanner].
func (m *moment) Scan(v any) error {
	at, ok := v.(float64)
	if !ok {
		return fmt.Errorf("got %v, want a time", v)
	}
	*m = moment(math.Round(at*1e6)) * 1000
	return nil
}

// optMoment is a [moment] that may be NULL.
type optMoment struct{ to *schema.Opt[int64] }

// Scan implements [sql.Scanner].
func (m optMoment) Scan(v any) error {
	if v == nil {
		return nil
	}
	var at moment
	err := at.Scan(v)
	*m.to = schema.Some(int64(at))
	return err
}

// opt is a number that may be NULL.
type opt struct{ to *schema.Opt[int64] }

// Scan implements [sql.Scanner].
func (o opt) Scan(v any) error {
	switch v := v.(type) {
	case nil:
	case int64:
		*o.to = schema.Some(v)
	default:
		return fmt.Errorf("got %v, want a whole number", v)
	}
	return nil
}
