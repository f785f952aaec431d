package retention

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/projector/store"
)

// Reading is what a machine's clocks say.
type Reading struct {
	Wall   int64 // Unix ns
	Boot   int64 // CLOCK_BOOTTIME ns
	BootID string
	Synced bool // the kernel holds the wall clock to be synchronised (adjtimex(2))
}

func readClocks() (Reading, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Reading{}, fmt.Errorf("read the boot id: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return Reading{}, fmt.Errorf("read the boot clock: %w", err)
	}
	var tx unix.Timex
	_, err = unix.Adjtimex(&tx) // with no mode it only reads
	synced := err == nil && tx.Status&unix.STA_UNSYNC == 0
	return Reading{time.Now().UnixNano(), ts.Nano(), strings.TrimSpace(string(id)), synced}, nil
}

// clock is the time that retention goes by: a wall clock that does not follow a jump forward, for a jump would make
// everything look old. It is kept in the database (docs/adr/0009-retention-clock.md).
type clock struct {
	Now    int64  `json:"now"` // Unix ns
	Boot   int64  `json:"boot_ns"`
	BootID string `json:"boot_id"`
}

// advance is the clock at a new reading. Within a boot of the machine it goes on with the boot clock; a wall clock that
// is behind it is believed, for that can only keep more, and one that is ahead only when the kernel vouches for it.
// Across a boot nobody has watched the time, and the wall clock stands alone.
func (c clock) advance(r Reading) clock {
	now := r.Wall
	if c.BootID == r.BootID && !r.Synced {
		now = min(now, c.Now+r.Boot-c.Boot)
	}
	return clock{now, r.Boot, r.BootID}
}

func loadClock(ctx context.Context, db *sql.DB) (clock, error) {
	var c clock
	var text string
	err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'retention_clock'`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	} else if err != nil {
		return c, fmt.Errorf("read retention's clock: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read retention's clock: %w", err)
	}
	return c, nil
}

func (c clock) save(tx *store.Tx) error {
	text, _ := json.Marshal(c) // numbers and a string always encode
	_, err := tx.Exec(`INSERT INTO meta(key, value) VALUES ('retention_clock', ?)
		ON CONFLICT(key) DO UPDATE SET value = excluded.value`, string(text))
	return err
}
