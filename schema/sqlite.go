package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed sql/*.sql
var migrations embed.FS

// OpenEnded is the last_snapshot of a process that still runs. It is above every snapshot's id, so that a range
// [first, last] needs no special case.
const OpenEnded = 1 << 62

// pidBits is how many bits a pid has: PID_MAX_LIMIT of include/linux/threads.h is 2^22.
const pidBits = 22

// SampleID returns the id of a process's row in samples, which is also its id in process_metrics.
func SampleID(snapshot int64, pid int) int64 { return snapshot<<pidBits | int64(pid) }

// SampleIDs returns the bounds of the ids that a snapshot's rows have in samples.
func SampleIDs(snapshot int64) (first, last int64) {
	return SampleID(snapshot, 0), SampleID(snapshot, 1<<pidBits-1)
}

// Pragmas go into the DSN, so that every connection of a pool has them.

// WriterDSN returns the data source by which the projector opens the database at file. Commits are synchronous=FULL,
// because messages are trimmed from the log after them. The projector alone decides when the WAL is written back, for it notes the
// sums of the pages first (package proof); the driver sorts the pragmas, and auto_vacuum writes already. journal_size_limit gives the WAL's space back when it is reset.
func WriterDSN(file string) string {
	return dsn(file, url.Values{
		"_pragma": {"busy_timeout(5000); PRAGMA wal_autocheckpoint(0)", "auto_vacuum(2)", "journal_mode(WAL)", "synchronous(FULL)",
			"journal_size_limit(67108864)", "cache_size(-16384)"},
		"_txlock": {"immediate"},
	})
}

// ReaderDSN returns the data source by which readers open the database at file. Nothing that they run can write. They
// wait for a lock as long as a checkpoint may hold it.
func ReaderDSN(file string) string {
	return dsn(file, url.Values{
		"mode":    {"ro"},
		"_pragma": {"busy_timeout(5000)", "query_only(1)", "cache_size(-8192)"},
	})
}

// LimitCache returns a data source with another bound on the pages that a connection keeps in memory, in bytes; 0 for the same.
func LimitCache(dsn string, bytes int64) string {
	if bytes <= 0 {
		return dsn
	}
	return dsn + "&_pragma=" + url.QueryEscape(fmt.Sprintf("cache_size(-%d)", max(bytes>>10, 1)))
}

// CopierDSN returns the data source by which a database is opened for VACUUM INTO, which only reads it.
func CopierDSN(file string) string {
	return dsn(file, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(5000)"}})
}

// NewDSN returns the data source by which a new, small database is made at file that nobody reads before it is whole. Its pages are small, for it has some
// seventy trees.
func NewDSN(file string) string {
	return dsn(file, url.Values{"_pragma": {"page_size(1024)", "journal_mode(MEMORY)", "synchronous(OFF)", "cache_size(-16384)"}})
}

// dsn returns a file: URI. With a plain path the query would be lost, and a '?' in the path would begin one.
func dsn(file string, query url.Values) string {
	escaped := (&url.URL{Path: file}).EscapedPath()
	if strings.HasPrefix(escaped, "/") {
		escaped = "//" + escaped // an empty authority, lest "//a/b" be taken for one
	}
	u := url.URL{Scheme: "file", Opaque: escaped, RawQuery: query.Encode()}
	return u.String()
}

// Migrate brings the database up to this build's tables, with one transaction for each step. PRAGMA user_version holds
// the number of steps done. A database of a later build is an error.
func Migrate(ctx context.Context, db *sql.Conn) error {
	steps, err := fs.Glob(migrations, "sql/*.sql") // sorted by name
	if err != nil {
		return err
	}
	done, err := CheckVersion(ctx, db)
	if err != nil {
		return err
	}
	for i, step := range steps[done:] {
		if err := migrate(ctx, db, step, done+i+1); err != nil {
			return fmt.Errorf("migrate to %s: %w", path.Base(step), err)
		}
	}
	if err := migrateMetrics(ctx, db); err != nil {
		return fmt.Errorf("bring the columns of metrics up to this build: %w", err)
	}
	return nil
}

// Querier is a database, a connection or a transaction.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// TablesVersion is how many steps of migration this build knows.
func TablesVersion() int {
	steps, _ := migrations.ReadDir("sql") // it is embedded
	return len(steps)
}

// CheckVersion returns how many steps of migration a database has. A database of a later build is an error: this build
// cannot know what its tables mean.
func CheckVersion(ctx context.Context, db Querier) (int, error) {
	var done int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&done); err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	if done > TablesVersion() {
		return done, fmt.Errorf("the database has schema version %d, this build knows up to %d", done, TablesVersion())
	}
	return done, nil
}

func migrate(ctx context.Context, db *sql.Conn, step string, version int) error {
	ddl, err := migrations.ReadFile(step)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, withMetrics(string(ddl))); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `PRAGMA user_version = `+strconv.Itoa(version)); err != nil {
		return err
	}
	return tx.Commit()
}

// Timestamp returns a wall time, given in Unix nanoseconds, as the tables hold it: Unix seconds, UTC.
func Timestamp(wallNS int64) float64 { return float64(wallNS) / 1e9 }

// LateBy is how late a snapshot may be, in periods, to tell of all the time since the one before it.
const LateBy = 1.5

// InTime reports whether a snapshot tells of all the time since the one before it. Both times are Unix seconds, and period is how many seconds are to be between two.
func InTime(before, at, period float64) bool { return at-before <= LateBy*period }

// Time returns a timestamp of the tables as a time, in UTC.
func Time(timestamp float64) time.Time {
	return time.Unix(0, int64(timestamp*1e9)).UTC()
}

// MiB returns a size in KiB as the tables show it.
func MiB(kib int64) float64 { return float64(kib) / 1024 }

// ExpiredKey begins the keys of the table meta that say that retention has deleted rows of a table, whose name ends them.
const ExpiredKey = "expired_"

// ChangedKey begins the keys of the table meta that say from which minute on what is known changed last: the minute, in Unix time, ends the key, and
// the value is a number that rises. What is known of the time before the first minute behind a moment has the number of the last key before it.
const ChangedKey = "changed_"

// ChangedFrom is the key of changes from a minute on.
func ChangedFrom(minute int64) string { return fmt.Sprintf("%s%012d", ChangedKey, max(0, minute)) }

// ChangedEnd is behind all keys of changes.
const ChangedEnd = "changed`"
