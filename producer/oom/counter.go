package oom

import "slices"

// maxRises is how many rises of one counter are remembered that no death has claimed.
const maxRises = 64

// counter counts kills. Its zero value has not been read.
type counter struct {
	value uint64
	since int64 // boot time of the first reading
	at    int64 // and of the last
	rises []rise
}

// rise is kills that a counter counted between two readings, and that no death has claimed.
type rise struct {
	from, to int64
	left     uint64
}

// update takes in the counter's value at the boot time now.
func (c *counter) update(value uint64, now int64) {
	switch {
	case c.since == 0:
		c.since = now
	case value > c.value:
		c.rises = append(c.rises, rise{c.at, now, value - c.value})
		if len(c.rises) > maxRises {
			c.rises = slices.Delete(c.rises, 0, 1)
		}
	case value < c.value: // another counter in its place
		c.since, c.rises = now, nil
	}
	c.value, c.at = value, now
}

// claim takes one kill that explains a death at boot, the oldest, and reports whether there was any.
func (c *counter) claim(boot, dying int64) bool {
	for i := range c.rises {
		r := &c.rises[i]
		if !mayExplain(r.from, r.to, boot, dying) {
			continue
		}
		if r.left--; r.left == 0 {
			c.rises = slices.Delete(c.rises, i, i+1)
		}
		return true
	}
	return false
}
