package schema

import "encoding/json"

// Opt is a value that may be unknown. The zero Opt is unknown. In JSON an unknown value is null or absent.
type Opt[T any] struct {
	V     T
	Known bool
}

// Some returns a known value.
func Some[T any](v T) Opt[T] { return Opt[T]{V: v, Known: true} }

// Or returns the value, or def when it is unknown.
func (o Opt[T]) Or(def T) T {
	if o.Known {
		return o.V
	}
	return def
}

// MarshalJSON writes the value, or null when it is unknown.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.Known {
		return []byte("null"), nil
	}
	return json.Marshal(o.V)
}

// UnmarshalJSON reads a value. Null is unknown.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	if err := json.Unmarshal(b, &o.V); err != nil {
		return err
	}
	o.Known = true
	return nil
}

// Raise sets a maximum to v when v is known and above it, and reports whether it rose.
func Raise(top *Opt[int64], v Opt[int64]) bool {
	if !v.Known || top.Known && v.V <= top.V {
		return false
	}
	*top = v
	return true
}
