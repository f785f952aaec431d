package store

// descriptions remembers which rows of rollup_processes are in use, so that each is written once an hour.
type descriptions struct{ hours map[int64]float64 } // by id: an hour, as Unix time, up to which the row is in use

func newDescriptions() *descriptions { return &descriptions{map[int64]float64{}} }

// maxDescribed bounds the descriptions that are remembered.
const maxDescribed = 1 << 20

// covers reports whether a description is known to be in use in an hour.
func (d *descriptions) covers(id int64, hour float64) bool {
	last, ok := d.hours[id]
	return ok && hour <= last
}

// add remembers that a description is in use in an hour, which may be before the one that the row has.
func (d *descriptions) add(id int64, hour float64) {
	if len(d.hours) >= maxDescribed {
		clear(d.hours)
	}
	d.hours[id] = hour
}

// remove forgets a description that was deleted.
func (d *descriptions) remove(id int64) { delete(d.hours, id) }
