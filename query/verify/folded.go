package verify

import (
	"context"
	"fmt"

	"github.com/proctape/proctape/query"
)

// foldedByBoth hashes the rows of the messages that two databases of one log have both folded, and says by how many messages each
// stream of the first is behind. lag is empty when they are of different logs, or equally far.
func foldedByBoth(ctx context.Context, db, against *query.DB) (mine, theirs Content, lag map[string]int64, err error) {
	a, err := query.Checkpoints(ctx, db)
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := query.Checkpoints(ctx, against)
	if err != nil {
		return nil, nil, nil, err
	}
	lag, both := map[string]int64{}, map[string]int64{}
	bases := [2]map[string]int64{{}, {}}
	for _, x := range a {
		for _, y := range b {
			if x.Stream != y.Stream {
				continue
			}
			if x.Created != y.Created {
				return nil, nil, nil, nil
			}
			both[x.Stream] = min(x.Seq, y.Seq)
			bases[0][x.Stream], bases[1][x.Stream] = x.IDBase, y.IDBase
			if x.Seq != y.Seq {
				lag[x.Stream] = y.Seq - x.Seq
			}
		}
	}
	contents := [2]Content{{}, {}}
	for i, d := range []*query.DB{db, against} {
		for _, c := range hashedTables {
			row, ok := messageOf[c.table]
			if !ok {
				continue
			}
			q := fmt.Sprintf(`%s WHERE %s <= %d`, c.query, row.id, bases[i][row.stream]+both[row.stream])
			if err := hashTable(ctx, d.Handle(), c.table, q, contents[i]); err != nil {
				return nil, nil, nil, fmt.Errorf("read %s: %w", c.table, err)
			}
		}
	}
	return contents[0], contents[1], lag, nil
}
