package query

import (
	"cmp"
	"path"
	"strings"

	"github.com/proctape/proctape/schema"
)

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

// deref is a value, or another when it is unknown.
func deref[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

// Program is the name of the program of a command line, without its folder; a kernel thread keeps its brackets.
func Program(command string) string {
	if strings.HasPrefix(command, "[") { // a kernel thread, or one without arguments
		return command
	}
	first, _, _ := strings.Cut(command, " ")
	if base := path.Base(first); base != "." && base != "/" {
		return strings.TrimSuffix(base, ":")
	}
	return command
}

// further is the one of two times that lies further in a direction, -1 for back; nil is not known.
func further(a, b *float64, direction int) *float64 {
	if a == nil || b != nil && cmp.Compare(*b, *a) == direction {
		return b
	}
	return a
}
