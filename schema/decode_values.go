package schema

import "github.com/proctape/proctape/schema/wire"

// readers are those at rest. A few keep up with any number of goroutines, for none holds one while it waits.
var readers = make(chan *wire.Reader, 4)

func takeReader() *wire.Reader {
	select {
	case r := <-readers:
		return r
	default:
		return wire.NewReader(nil)
	}
}

// releaseReader lets another have the reader, which lets go of its message.
func releaseReader(r *wire.Reader) {
	r.Begin(nil)
	select {
	case readers <- r:
	default:
	}
}

// maxFields bounds the fields of one record, so that later versions have room to append.
const maxFields = 64

// openList enters an array of records and returns their number. fields is how many a record has had since the first
// version: with its head it takes at least a byte for each, so that no more records are allocated than the bytes that are
// left can hold.
func openList(r *wire.Reader, limit, fields int) (n, outer int) {
	n, outer = r.Open(limit)
	if n > r.Remaining()/(1+fields) {
		r.Fail("%d records of %d fields in %d bytes", n, fields, r.Remaining())
		return 0, outer
	}
	return n, outer
}

// readList reads an array of records, as openList says.
func readList[T any](r *wire.Reader, limit, fields int, one func(*wire.Reader, *T)) []T {
	n, outer := openList(r, limit, fields)
	var list []T
	if n > 0 {
		list = make([]T, n)
	}
	for i := range list {
		if one(r, &list[i]); r.Err() != nil {
			break
		}
	}
	r.Close(outer)
	return list
}

func readInt(r *wire.Reader) int {
	v := r.Int()
	if int64(int(v)) != v {
		r.Fail("%d is out of range", v)
		return 0
	}
	return int(v)
}

func readOpt(r *wire.Reader) Opt[int64] {
	if r.Nil() {
		return Opt[int64]{}
	}
	return Some(r.Int())
}
