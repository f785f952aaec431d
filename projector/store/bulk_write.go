package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite/vtab"

	"github.com/proctape/proctape/schema"
)

const setPeaks = `cpu_ms=t.cpu_ms, max_cpu_permille=t.max_cpu_permille, peak_rss_kib=t.peak_rss_kib, read_kib=t.read_kib,
	write_kib=t.write_kib, peak_snapshot=t.peak_snapshot`

// The ways to write rows of processes. Of rows that stay open only what grows is written: that leaves the columns alone
// that are in an index.
const (
	growProcesses = `UPDATE OR ROLLBACK processes SET ` + setPeaks + ` FROM temp.new_processes t WHERE processes.id=t.id`
	endProcesses  = `UPDATE OR ROLLBACK processes SET last_snapshot=t.last_snapshot, ended=t.ended, ended_boot_ns=t.ended_boot_ns, ` +
		setPeaks + ` FROM temp.new_processes t WHERE processes.id=t.id`
)

func writeProcesses(tx *Tx, processes []*Process) error {
	var opened, grown, ended []*Process
	for _, p := range processes {
		switch {
		case !p.Stored:
			opened = append(opened, p)
		case p.Last != schema.OpenEnded:
			ended = append(ended, p)
		default:
			grown = append(grown, p)
		}
		p.Queued, p.Stored = false, true
	}
	t := tx.store.bulk.processes
	of := func(rows []*Process) func(row, col int) vtab.Value {
		return func(row, col int) vtab.Value { return rows[row].column(col) }
	}
	if err := errors.Join(tx.insertAll("processes", t, len(opened), of(opened)), tx.execBulk(t, len(grown), of(grown), growProcesses),
		tx.execBulk(t, len(ended), of(ended), endProcesses)); err != nil {
		return fmt.Errorf("store processes: %w", err)
	}
	return nil
}

// writeSamples inserts the rows, which rise by primary key: what is appended to a b-tree in order fills its pages.
func writeSamples(tx *Tx, samples []Sample) error {
	value := func(row, col int) vtab.Value { return samples[row].column(col) }
	if err := tx.insertAll("samples", tx.store.bulk.samples, len(samples), value); err != nil {
		return fmt.Errorf("store samples: %w", err)
	}
	return nil
}

func writeEvents(tx *Tx, events []Event) error {
	value := func(row, col int) vtab.Value { return events[row].column(col) }
	if err := tx.insertAll("process_events", tx.store.bulk.events, len(events), value); err != nil {
		return fmt.Errorf("store events: %w", err)
	}
	return nil
}
