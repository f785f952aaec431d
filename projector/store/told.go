package store

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/proctape/proctape/schema"
)

// EventTeller is a life of a producer that told of starts and ends.
type EventTeller struct {
	Instance string
	BootID   string
	Began    int64 // when its sampler began, by the boot clock, ns; 0 when it has not told
	First    int64 // wall time of its first message of them, Unix ns
	LastBoot int64 // boot clock of the newest, ns
}

// EventTellers are the lives of producers that told of a host's starts and ends.
func (t Tables) EventTellers(hostID int64) (tellers []EventTeller, err error) {
	err = t.lookup(`SELECT instance, boot_id, max(began_ns), min(first_ns), max(last_boot_ns) FROM producers
		WHERE host_id = ? AND kind LIKE 'event.%' AND kind != 'event.gap' AND stored > 0 GROUP BY instance`, func(r *sql.Rows) error {
		var e EventTeller
		err := r.Scan(&e.Instance, &e.BootID, &e.Began, &e.First, &e.LastBoot)
		tellers = append(tellers, e)
		return err
	}, hostID)
	if err != nil {
		return nil, fmt.Errorf("look up who told of events: %w", err)
	}
	return tellers, nil
}

// Occasion is what may happen to a process id of a host.
type Occasion struct {
	HostID int64
	Kind   schema.Kind
	PID    int
}

// ToldEvent is an event that one producer told of, as far as another may know more of it.
type ToldEvent struct {
	ID       int64   // of its row
	Instance string  // who told it
	At       float64 // Unix time of the row
	schema.Event
}

// ToldEvents passes on the events of an occasion that other producers than instance told of, oldest row first.
func (t Tables) ToldEvents(of Occasion, bootID, instance string, visit func(ToldEvent)) error {
	err := t.lookup(`SELECT id, instance, boot_ns, start_ticks, exit_code, signal_num, cpu_ms, sampled_cpu_ms, peak_rss_kib, read_kib,
		write_kib, lifetime_ms, within_ms, system_cpu_ms, timestamp, source, details,
		coalesce(command, '') FROM process_events WHERE pid = ? AND host_id = ? AND event_type = ? AND boot_id = ? AND instance != ? ORDER BY id`,
		func(r *sql.Rows) error {
			var e ToldEvent
			var n [10]sql.NullInt64
			if err := r.Scan(&e.ID, &e.Instance, &e.Boot, &e.StartTicks, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9],
				&e.At, &e.Source, &e.Details, &e.Command); err != nil {
				return err
			}
			for i, to := range e.told() {
				*to = fromNull(n[i])
			}
			visit(e)
			return nil
		}, of.PID, of.HostID, of.Kind.EventType(), bootID, instance)
	if err != nil {
		return fmt.Errorf("look up an event: %w", err)
	}
	return nil
}

// told are the figures of an event that one producer may know and another not.
func (e *ToldEvent) told() [10]*schema.Opt[int64] {
	return [...]*schema.Opt[int64]{&e.ExitCode, &e.Signal, &e.CPUMillis, &e.SampledCPU, &e.PeakRSS, &e.ReadKiB, &e.WriteKiB, &e.Lifetime, &e.Within, &e.System}
}

// Learn takes over what another producer knows of the event and this one did not. It reports whether that is anything. Of an end that
// one saw and the other did not, all is as the one says who saw it.
func (e *ToldEvent) Learn(from *schema.Event) (more bool) {
	if from.Within.Known && !e.Within.Known {
		return false
	}
	believed := e.Within.Known && !from.Within.Known
	if believed {
		e.At, e.Wall, e.Boot, e.Source, e.Details = schema.Timestamp(from.Wall), from.Wall, from.Boot, from.Source, from.Details
	}
	other := ToldEvent{Event: *from}
	theirs := other.told()
	for i, to := range e.told() {
		if believed || !to.Known && theirs[i].Known {
			*to, more = *theirs[i], true
		}
	}
	return more
}

// writeTold writes what a second producer knew of events that have their rows.
func writeTold(tx *Tx, events map[int64]*ToldEvent) error {
	for id, e := range events {
		values := make([]any, 0, 15)
		for _, v := range e.told() {
			values = append(values, optional(*v))
		}
		if _, err := tx.Exec(`UPDATE process_events SET exit_code = ?, signal_num = ?, cpu_ms = ?, sampled_cpu_ms = ?, peak_rss_kib = ?,
			read_kib = ?, write_kib = ?, lifetime_ms = ?, within_ms = ?, system_cpu_ms = ?, timestamp = ?, boot_ns = ?, source = ?, details = ? WHERE id = ?`,
			append(values, e.At, e.Boot, e.Source, e.Details, id)...); err != nil {
			return fmt.Errorf("store what a second sampler told of event %d: %w", id, err)
		}
	}
	return nil
}

// ToldExecs passes on the execs of a process id that other producers than instance told of.
func (t Tables) ToldExecs(of Occasion, bootID, instance string, visit func(schema.Exec)) error {
	err := t.lookup(`SELECT boot_ns, start_ticks, coalesce(command, '') FROM process_execs
		WHERE pid = ? AND host_id = ? AND boot_id = ? AND instance != ?`, func(r *sql.Rows) error {
		var e schema.Exec
		err := r.Scan(&e.Boot, &e.StartTicks, &e.Command)
		visit(e)
		return err
	}, of.PID, of.HostID, bootID, instance)
	if err != nil {
		return fmt.Errorf("look up an exec: %w", err)
	}
	return nil
}

// sameMoment is how far apart two samplers put what is one, where no process's start says which it is.
const sameMoment = int64(time.Second)

// SameLife reports whether two samplers told of one process of a pid when they put its start, in ticks, and what happened, by the
// boot clock, where they do. A start of 0 is unknown. Two readings of one start may be two ticks apart.
func SameLife(start, otherStart uint64, boot, otherBoot int64) bool {
	if start != 0 && otherStart != 0 {
		return max(start, otherStart)-min(start, otherStart) <= 2
	}
	return Near(boot, otherBoot)
}

// Near reports whether two times of the boot clock are so close that two samplers may mean one moment.
func Near(boot, other int64) bool { return max(boot, other)-min(boot, other) <= sameMoment }
