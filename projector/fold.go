package projector

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/proctape/proctape/projector/ndjson"
	"github.com/proctape/proctape/schema"
)

// fold turns messages into rows and lines. All it does derives from the messages and from what is in the database,
// never from a clock, so the same log gives the same rows however often and in whatever batches it is folded.
//
// It works inside a transaction that its caller holds. After an error, and after a transaction that did not
// commit, what it remembers is no longer what the database holds: throw it away and load another.
type fold struct {
	db        *store
	positions map[string]*position
	rosters   map[int64]*roster
	ledgers   map[ledgerKey]*ledger
	hosts     map[string]int64
	described map[int64]float64 // an hour up to which descriptions of rollups are known to be in use, by id

	dir       string         // of the files
	snapshots *ndjson.Writer // nil: no files
	events    *ndjson.Writer

	// What a batch has gathered, written by flush.
	dirtyRosters []*roster // whose newest snapshot is another
	dirtyLedgers []*ledger
	samples      []sample
	eventRows    []eventRow
	touched      []*process
	ended        map[identity]int64 // the most CPU, in milliseconds, of touched rows that ended
	jobs         map[string]*jobDelta
	sheets       map[sheetKey]*sheetDelta
	observed     observed

	stats Stats
}

// Stats counts what a projector has done since it started.
type Stats struct {
	Messages    uint64 // folded, whatever came of them
	Snapshots   uint64
	Processes   uint64 // rows of process samples
	Events      uint64
	Duplicates  uint64 // messages that changed nothing
	Quarantined uint64
	Gaps        uint64
	Commits     uint64
}

// errRewound says that a message came whose sequence was folded before. It may have been delivered again; it may be
// another one under the same sequence, of a stream that lost its end. Finding the place in the stream anew tells.
var errRewound = errors.New("the stream went back")

// position is how far a stream has been folded.
type position struct {
	stream  string
	epoch   int64
	created int64 // the stream's, Unix ns
	idBase  int64
	seq     uint64
	stored  int64  // when the server took message seq, Unix ns
	process uint64 // last process id given, of the snapshot stream
	n       int    // gaps noticed at message seq
}

// id is the row id of a message of the current epoch.
func (p *position) id(seq uint64) int64 { return p.idBase + int64(seq) }

func newFold(db *store) *fold {
	return &fold{db: db, positions: map[string]*position{}, rosters: map[int64]*roster{}, ledgers: map[ledgerKey]*ledger{},
		hosts: map[string]int64{}, described: map[int64]float64{}, ended: map[identity]int64{},
		jobs: map[string]*jobDelta{}, sheets: map[sheetKey]*sheetDelta{}}
}

// apply folds one message.
func (f *fold) apply(d *delivery) error {
	pos := f.positions[d.stream]
	if d.seq <= pos.seq {
		return errRewound
	}
	if err := f.advance(pos, d); err != nil {
		return err
	}
	f.stats.Messages++
	if d.poison != nil {
		return f.quarantine(pos, d, d.poison)
	}
	if d.msg.Rollup != nil {
		return f.applyRollup(pos, d)
	}
	admitted, err := f.admit(pos, d)
	if err != nil || !admitted {
		return err
	}
	m := d.msg
	switch {
	case m.Snapshot != nil:
		return f.applySnapshot(pos, d)
	case m.Events != nil:
		return f.applyEvents(pos, d)
	case m.Gaps != nil:
		return f.applyGaps(pos, d)
	case m.Jobs != nil:
		return f.applyJobs(pos, d)
	}
	return nil
}

// advance moves the stream's position to the message. Sequences that were jumped over are a gap.
func (f *fold) advance(pos *position, d *delivery) error {
	jumped, from, fromTime := d.seq-pos.seq-1, pos.seq, pos.stored
	pos.seq, pos.stored, pos.n = d.seq, d.stored.UnixNano(), 0
	if jumped == 0 {
		return nil
	}
	reason := "stream hole"
	if from == 0 {
		reason = "trimmed before it was read"
	}
	_, err := f.gap(pos, gap{
		reason: reason, count: schema.Some(int64(jumped)), from: fromTime, to: pos.stored,
		details: fmt.Sprintf("messages %d to %d of the stream are not there", from+1, d.seq-1),
	})
	return err
}

// admit judges a message by its producer's numbers. It reports whether the message is to be folded.
func (f *fold) admit(pos *position, d *delivery) (bool, error) {
	hostID, err := f.host(d.msg.Host)
	if err != nil {
		return false, err
	}
	l, err := f.ledger(ledgerKey{hostID, d.msg.Instance.String(), strings.Clone(string(d.msg.Kind))})
	if err != nil {
		return false, err
	}
	s := span{d.msg.Seq, d.msg.Seq + d.msg.Count() - 1}
	a := l.judge(s)
	switch a.verdict {
	case duplicate:
		l.duplicates += s.count()
		f.stats.Duplicates++
		return false, nil
	case overlap:
		return false, f.quarantine(pos, d, &poison{reasonOverlap,
			fmt.Errorf("numbers %d to %d were partly taken, the next is %d", s.first, s.last, l.next)})
	}
	if err := errors.Join(f.settle(pos, d, l, s, a), f.release(d)); err != nil {
		return false, err
	}
	d.firstOfInstance = l.stored == 0 && l.quarantined == 0
	l.stored += s.count()
	l.note(d.msg)
	return true, nil
}

// settle books a message's numbers: it opens the hole before them, or shrinks the one they fill.
func (f *fold) settle(pos *position, d *delivery, l *ledger, s span, a admission) error {
	if a.skipped != nil {
		if err := f.openHole(pos, d, l, *a.skipped); err != nil {
			return err
		}
	}
	if a.filled != nil {
		if err := f.fillHole(pos, d, l, s, a); err != nil {
			return err
		}
	}
	l.advance(s.last)
	return nil
}

// flush writes what the batch has gathered: rows, then lines, then how far both have come. The caller commits.
func (f *fold) flush() error {
	for _, write := range []func() error{f.flushProcesses, f.flushRosters, f.flushJobs, f.flushLedgers} {
		if err := write(); err != nil {
			return err
		}
	}
	if err := f.db.insertSamples(f.samples); err != nil {
		return fmt.Errorf("insert samples: %w", err)
	}
	f.samples = f.samples[:0]
	if err := f.db.insertEvents(f.eventRows); err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	clear(f.eventRows) // they hold whole messages
	f.eventRows = f.eventRows[:0]
	if err := f.flushFiles(); err != nil {
		return err
	}
	for _, p := range f.positions {
		if err := f.savePosition(p); err != nil {
			return err
		}
	}
	f.stats.Commits++
	return nil
}

func (f *fold) savePosition(p *position) error {
	_, err := f.db.exec(`INSERT INTO checkpoints(stream, epoch, created, id_base, seq, message_time, process_id)
		VALUES (?,?,?,?,?,?,?) ON CONFLICT(stream) DO UPDATE SET epoch=excluded.epoch, created=excluded.created,
		id_base=excluded.id_base, seq=excluded.seq, message_time=excluded.message_time, process_id=excluded.process_id`,
		p.stream, p.epoch, p.created, p.idBase, int64(p.seq), p.stored, int64(p.process))
	return err
}

// host is the id of a host, and makes its row at first sight. The id comes from the name, so that it is the same in
// every database, whichever stream brings the host first.
func (f *fold) host(name string) (int64, error) {
	if id, ok := f.hosts[name]; ok {
		return id, nil
	}
	id := HostID(name)
	if _, err := f.db.exec(`INSERT INTO hosts(id, name) VALUES (?, ?) ON CONFLICT(id) DO NOTHING`, id, name); err != nil {
		return 0, err
	}
	f.hosts[strings.Clone(name)] = id
	return id, nil
}

// HostID is a host's id in every database: 48 bits of its name's SHA-256.
func HostID(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	var id int64
	for _, b := range sum[:6] {
		id = id<<8 | int64(b)
	}
	return id
}
