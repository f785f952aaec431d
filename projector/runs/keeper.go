// Package runs gives runs of jobs their numbers, and publishes what is known of each as a record that outlives the rest
// (docs/adr/0024-run-records.md).
package runs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Keeper publishes a record of a run when it becomes known, which gives it its number, and another when it has ended. One goroutine uses it.
type Keeper struct {
	tables tables
	to     publisher
	due    map[key]bool // runs of which something is to be told
}

// LookInterval is how often a keeper should look for what was told of runs. What it finds it publishes the next time: what a run tells
// at its end comes in several messages.
const LookInterval = 2 * time.Second

// New makes a keeper that reads the database by a connection of its own.
func New(js jetstream.JetStream, read *sql.DB, db Database) *Keeper {
	k := &Keeper{tables: tables{db: read}, due: map[key]bool{}}
	k.to = publisher{js: js, db: db, tables: &k.tables}
	return k
}

// Look publishes the records of the runs that it found the last time, and finds those of which something was told since.
func (k *Keeper) Look(ctx context.Context) error {
	due := k.due
	found, err := k.tables.changed(ctx)
	if err != nil {
		return err
	}
	k.due = found
	var failed []error
	for host, keys := range byHost(due) {
		if err := k.to.publish(ctx, host, keys); err != nil {
			failed = append(failed, fmt.Errorf("host %s: %w", host, err))
			for _, run := range keys { // again the next time
				k.due[run] = true
			}
		}
	}
	return errors.Join(failed...)
}

// byHost sorts runs by the host of their subject.
func byHost(runs map[key]bool) map[string][]key {
	hosts := map[string][]key{}
	for run := range runs {
		hosts[run.host] = append(hosts[run.host], run)
	}
	return hosts
}
