package schema

import (
	"errors"

	"github.com/proctape/proctape/schema/wire"
)

// Drop counts items that a producer made and could not publish.
type Drop struct {
	Reason string `json:"reason"` // a few words, of the producer's choice
	Count  uint64 `json:"count"`  // since the instance started
}

// End is what one life of a producer had reached when that was last written down.
type End struct {
	Instance Instance `json:"instance"` // the life
	BootID   string   `json:"boot_id"`  // of that life
	Wall     int64    `json:"wall_ns"`  // Unix nanoseconds, of the newest item that counts here
	Boot     int64    `json:"boot_ns"`  // the same by CLOCK_BOOTTIME of that life's boot, nanoseconds
	// Final says that the life ended in order and made nothing more. Otherwise it was cut off, and may have made more.
	Final    bool      `json:"final"`
	Produced uint64    `json:"produced"`          // items of all kinds that were made
	Acked    uint64    `json:"acked"`             // of which the log had acknowledged so many
	Dropped  []Drop    `json:"dropped,omitempty"` // of which so many could not be published, by reason
	Reached  []Reached `json:"reached"`           // of each kind that was made
}

// Reached is how far the numbers of a kind had come.
type Reached struct {
	Kind Kind   `json:"kind"` // of the items
	Seq  uint64 `json:"seq"`  // number of the last item
}

// MaxEnds is how many lives a message may tell of.
const MaxEnds = 16

// Validate checks that the tables can hold every value. A kind need not be one that this build knows.
func (e *End) Validate() error {
	switch {
	case e.Instance == Instance{}:
		return errors.New("no instance")
	case e.BootID == "":
		return errors.New("no boot id")
	}
	return errors.Join(text("boot id", e.BootID, 64), boundAnyWall.check("wall_ns", e.Wall), boundBoot.check("boot_ns", e.Boot),
		boundCount.checkUnsigned("produced", e.Produced), boundCount.checkUnsigned("acked", e.Acked),
		eachOf("drop count", e.Dropped, maxList, (*Drop).validate),
		each("kind that was made", e.Reached, maxFields, func(r *Reached) error {
			return errors.Join(text("kind", string(r.Kind), MaxName), boundCount.checkUnsigned("seq", r.Seq))
		}))
}

func (d *Drop) validate() error {
	return errors.Join(text("drop reason", d.Reason, MaxName), boundCount.checkUnsigned("count", d.Count))
}

func writeDrop(w *writer, d *Drop) {
	w.Array(2)
	w.String(d.Reason)
	w.Uint(d.Count)
}

func readDrop(r *wire.Reader, d *Drop) {
	_, outer := r.Open(maxFields)
	d.Reason = r.String(MaxName)
	d.Count = r.Uint()
	r.Close(outer)
}

func writeEnd(w *writer, e *End) {
	w.Array(9)
	w.Bytes(e.Instance[:])
	w.String(e.BootID)
	w.Int(e.Wall)
	w.Int(e.Boot)
	w.Bool(e.Final)
	w.Uint(e.Produced)
	w.Uint(e.Acked)
	writeList(w, e.Dropped, writeDrop)
	writeList(w, e.Reached, func(w *writer, r *Reached) {
		w.Array(2)
		w.String(string(r.Kind))
		w.Uint(r.Seq)
	})
}

func readEnd(r *wire.Reader, e *End) {
	_, outer := r.Open(maxFields)
	readInstance(r, &e.Instance)
	e.BootID = r.String(MaxName)
	e.Wall = r.Int()
	e.Boot = r.Int()
	e.Final = r.Bool()
	e.Produced = r.Uint()
	e.Acked = r.Uint()
	e.Dropped = readList(r, maxList, 2, readDrop)
	e.Reached = readList(r, maxFields, 2, func(r *wire.Reader, n *Reached) {
		_, outer := r.Open(maxFields)
		n.Kind = Kind(r.String(MaxName))
		n.Seq = r.Uint()
		r.Close(outer)
	})
	r.Close(outer)
}
