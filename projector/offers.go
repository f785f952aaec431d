package projector

import (
	"context"

	"github.com/proctape/proctape/projector/store"
)

// ErrNotFresh is returned by [Open] and [Replay] for a replay into a database that holds something else.
var ErrNotFresh = store.ErrNotFresh

// DamagedError says that a database is damaged. Nothing of it was changed.
type DamagedError = store.DamagedError

// OtherHostsError says that a database is of other hosts than those that [Config] asks for.
type OtherHostsError = store.OtherHostsError

// QuarantineKey names a message in quarantine by where it lies in the log.
type QuarantineKey = store.QuarantineKey

// DropQuarantined deletes messages from the quarantine of the database at path: one, or with a nil key all of them. It
// returns how many. It may be called while a projector writes the database.
func DropQuarantined(ctx context.Context, path string, key *QuarantineKey) (int64, error) {
	return store.DropQuarantined(ctx, path, key)
}
