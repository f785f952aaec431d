package schema

import (
	"sync"

	"github.com/proctape/proctape/schema/column"
	"github.com/proctape/proctape/schema/wire"
)

// writer writes messages, and has the memory that columns need.
type writer struct {
	*wire.Writer
	scratch []byte
	texts   column.Table
	err     error // of a text
}

var writers = sync.Pool{New: func() any { return &writer{Writer: wire.NewWriter()} }}

// writeList appends an array of records. Records are passed by pointer, so that none is copied.
func writeList[T any](w *writer, list []T, one func(*writer, *T)) {
	w.Array(len(list))
	for i := range list {
		one(w, &list[i])
	}
}

func writeOpt(w *writer, o Opt[int64]) {
	if !o.Known {
		w.Nil()
		return
	}
	w.Int(o.V)
}
