package retention

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/proctape/proctape/projector/store"
)

// lives deletes lives.
type lives struct{ *pass }

// run deletes the lives that were over before the oldest event that is left, and forgets the lanes that were free by then. A life goes
// up to three times its own length later than it might, as those of a class go together by when they began.
func (l *lives) run(ctx context.Context) error {
	var oldest sql.NullFloat64
	if err := l.read.QueryRowContext(ctx, `SELECT min(timestamp) FROM process_events`).Scan(&oldest); err != nil {
		return fmt.Errorf("read the oldest event: %w", err)
	}
	if !oldest.Valid || l.writer.dry {
		return nil
	}
	before, classes := int64(oldest.Float64*1000), make([]int, store.OpenClass)
	for class := range classes {
		classes[class] = class
	}
	var n int64
	if err := writeAll(ctx, l.writer, classes, &n, func(tx *store.Tx, class int) error { return tx.DeleteLives(class, before) }); err != nil {
		return fmt.Errorf("delete lives: %w", err)
	}
	return nil
}
