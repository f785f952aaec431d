package retention

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/store"
)

// alone is a database that only retention writes.
type alone struct {
	Database
	store  *store.Store
	pieces int
}

// Write implements [Database].
func (d *alone) Write(_ context.Context, do func(*store.Tx) error) error {
	d.pieces++
	return d.store.Write(do)
}

// What takes long is done in pieces.
func TestWriteAll_InPieces(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "m.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	db := &alone{store: s}
	done := 0
	var count int64
	err = writeAll(t.Context(), &writer{db: db, alive: func() error { return nil }}, make([]int, 100), &count, func(*store.Tx, int) error {
		done++
		time.Sleep(time.Millisecond) // a row that takes long
		return nil
	})
	if err != nil || done != 100 || count != 100 {
		t.Errorf("%d done and %d counted, %v, want 100", done, count, err)
	}
	if db.pieces < 100*int(time.Millisecond)/int(WriteTime)-1 {
		t.Errorf("100 ms of work were done in %d pieces, want each to take about %s", db.pieces, WriteTime)
	}
}
