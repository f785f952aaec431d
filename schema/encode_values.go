package schema

import (
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

// writers are those at rest. A few keep up with any number of goroutines, for none holds one while it waits.
var writers = make(chan *writer, 4)

func takeWriter() *writer {
	select {
	case w := <-writers:
		return w
	default:
		return &writer{Writer: wire.NewWriter()}
	}
}

// release lets another have the writer.
func (w *writer) release() {
	select {
	case writers <- w:
	default:
	}
}

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
