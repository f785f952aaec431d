package store

import (
	"database/sql"
	"fmt"
	"math/bits"

	"github.com/proctape/proctape/schema"
)

// LifeKey names the life of a process.
type LifeKey struct {
	HostID int64
	Start  int64 // Unix ms
	First  int64 // the row of process_events that told of it first: its start, or its end where no start was told
}

// StepLanes names the lanes of a step of a job on a host, as [StepMinute] does.
type StepLanes struct {
	HostID int64
	Job    schema.JobKey
	Sheet  int64
}

// Life is the life of a process, as far as starts and ends tell of it.
type Life struct {
	LifeKey
	PID        int
	Of         StepLanes
	End        int64 // Unix ms; 0 while it goes on
	Lane       int   // -1 while it has none
	Event      int64 // the row that tells of its end, or of its start while none does
	StartTicks uint64
	BootID     string
}

// Lane names a lane.
type Lane struct {
	StepLanes
	Lane int
}

// LifeChange is a life as it is after a batch.
type LifeChange struct {
	Life
	Stored bool // it has a row that says that it goes on
}

// OpenClass is the class of a life that goes on, which has no length yet.
const OpenClass = 31

// LaneTaken is until when a lane is taken, in Unix ms, while the life in it goes on.
const LaneTaken = int64(1) << 62

// LifeClass is the class of lives of a length, in milliseconds: those of class c last from 4^c up to 4^(c+1).
func LifeClass(ms int64) int { return (bits.Len64(uint64(max(1, ms))) - 1) / 2 }

func (l *Life) class() int {
	if l.End == 0 {
		return OpenClass
	}
	return LifeClass(l.End - l.Start)
}

// OpenLives passes on the lives of a host that go on.
func (t Tables) OpenLives(hostID int64, visit func(Life)) error {
	err := t.lookup(`SELECT start_ms, first_event, pid, lane, job_id, fleet, sheet_num, event_id, start_ticks, boot_id FROM lives WHERE host_id = ? AND class = 31`,
		func(r *sql.Rows) error {
			l := Life{LifeKey: LifeKey{HostID: hostID}, Of: StepLanes{HostID: hostID}}
			err := r.Scan(&l.Start, &l.First, &l.PID, &l.Lane, &l.Of.Job.ID, &l.Of.Job.Fleet, &l.Of.Sheet, &l.Event, &l.StartTicks, &l.BootID)
			visit(l)
			return err
		}, hostID)
	if err != nil {
		return fmt.Errorf("look up who lives: %w", err)
	}
	return nil
}

// Lanes passes on until when each lane of a step is taken, in Unix ms.
func (t Tables) Lanes(of StepLanes, visit func(lane int, until int64)) error {
	err := t.lookup(`SELECT lane, until_ms FROM lanes WHERE host_id = ? AND job_id = ? AND fleet = ? AND sheet_num = ?`, func(r *sql.Rows) error {
		var lane int
		var until int64
		err := r.Scan(&lane, &until)
		visit(lane, until)
		return err
	}, of.HostID, of.Job.ID, of.Job.Fleet, of.Sheet)
	if err != nil {
		return fmt.Errorf("look up the lanes of job %q: %w", of.Job.ID, err)
	}
	return nil
}

// writeLives writes the lives that a batch changed, and until when lanes are taken.
func writeLives(tx *Tx, lives map[LifeKey]*LifeChange, lanes map[Lane]int64) error {
	for key, l := range lives {
		if l.Stored && l.End != 0 {
			if _, err := tx.Exec(`DELETE FROM lives WHERE host_id = ? AND class = 31 AND start_ms = ? AND first_event = ?`, key.HostID, key.Start, key.First); err != nil {
				return fmt.Errorf("end the life of process %d: %w", l.PID, err)
			}
		}
		var end, ticks, boot any = l.End, nil, nil
		if l.End == 0 {
			end, ticks, boot = nil, int64(l.StartTicks), l.BootID
		}
		if _, err := tx.Exec(`INSERT OR REPLACE INTO lives(host_id, class, start_ms, first_event, pid, end_ms, lane, job_id, fleet, sheet_num, event_id, start_ticks, boot_id)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`, key.HostID, l.class(), key.Start, key.First, l.PID, end, l.Lane, l.Of.Job.ID, l.Of.Job.Fleet, l.Of.Sheet, l.Event, ticks, boot); err != nil {
			return fmt.Errorf("store the life of process %d: %w", l.PID, err)
		}
	}
	for at, until := range lanes {
		if _, err := tx.Exec(`INSERT OR REPLACE INTO lanes(host_id, job_id, fleet, sheet_num, lane, until_ms) VALUES (?,?,?,?,?,?)`,
			at.HostID, at.Job.ID, at.Job.Fleet, at.Sheet, at.Lane, until); err != nil {
			return fmt.Errorf("store a lane of job %q: %w", at.Job.ID, err)
		}
	}
	return nil
}

// DeleteLives deletes the lives of a class that cannot have lasted until a time, Unix ms. With those of class 0 go the lanes that were free by then.
func (tx *Tx) DeleteLives(class int, before int64) error {
	longest := int64(1) << (2 * (class + 1))
	_, err := tx.Exec(`DELETE FROM lives WHERE host_id IN (SELECT id FROM hosts) AND class = ? AND start_ms < ?`, class, before-longest)
	if err == nil && class == 0 {
		_, err = tx.Exec(`DELETE FROM lanes WHERE until_ms < ?`, before)
	}
	return err
}
