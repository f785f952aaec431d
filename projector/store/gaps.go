package store

import (
	"fmt"

	"github.com/proctape/proctape/schema"
)

// Gap is a row of gaps: something that is missing from the record.
type Gap struct {
	Key      GapKey
	Noticed  int64 // when the server took the message at which it was noticed, Unix ns
	Kind     schema.GapKind
	Host     string       // empty when it is no one host's
	Producer *ProducerKey // whose numbers are missing, of all kinds when it names none; nil when it is no producer's
	Numbers  Span         // which; the zero value when none are known
	Count    schema.Opt[int64]
	From, To int64 // wall times, Unix ns; 0 when not known
	Details  string
}

// GapChange says what a batch does to the gaps.
type GapChange struct {
	Change GapChangeKind
	Gap    // of one that was filled, only its key counts
}

// GapChangeKind says what becomes of a gap.
type GapChangeKind int

// The changes of gaps.
const (
	GapNoticed GapChangeKind = iota // a row and, in the file of events, a line
	GapRemains                      // a row: what is left of a gap that was filled in part
	GapFilled                       // the row goes; its line stays
)

func writeGaps(tx *Tx, gaps []GapChange) error {
	for i := range gaps {
		g := &gaps[i]
		var err error
		if g.Change == GapFilled {
			err = deleteGap(tx, g.Key)
		} else {
			err = insertGap(tx, &g.Gap)
		}
		if err != nil {
			return fmt.Errorf("store a gap: %w", err)
		}
	}
	return nil
}

func insertGap(tx *Tx, g *Gap) error {
	var hostID, instance, messageKind, first, last any
	if g.Host != "" {
		hostID = HostID(g.Host)
	}
	if g.Producer != nil {
		instance = g.Producer.Instance
		if g.Producer.Kind != "" {
			messageKind = g.Producer.Kind
		}
		if g.Numbers.Last > 0 {
			first, last = int64(g.Numbers.First), int64(g.Numbers.Last)
		}
	}
	_, err := tx.Exec(`INSERT INTO gaps(stream, epoch, at_seq, n, timestamp, kind, host_id, instance, message_kind,
		first_seq, last_seq, count, from_time, to_time, details) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		g.Key.Stream, g.Key.Epoch, int64(g.Key.Seq), g.Key.N, schema.Timestamp(g.Noticed), g.Kind, hostID, instance, messageKind,
		first, last, optional(g.Count), optionalTime(g.From), optionalTime(g.To), g.Details)
	return err
}

func deleteGap(tx *Tx, key GapKey) error {
	_, err := tx.Exec(`DELETE FROM gaps WHERE stream=? AND epoch=? AND at_seq=? AND n=?`, key.Stream, key.Epoch, int64(key.Seq), key.N)
	return err
}
