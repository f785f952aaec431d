package query

import "github.com/proctape/proctape/schema"

// pointer is a value, or nil when it is unknown.
func pointer[T any](o schema.Opt[T]) *T {
	if !o.Known {
		return nil
	}
	return &o.V
}

// scaled is a value divided by per, or nil when it is unknown.
func scaled(o schema.Opt[int64], per float64) *float64 {
	if !o.Known {
		return nil
	}
	v := float64(o.V) / per
	return &v
}
