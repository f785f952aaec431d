package simulate

// hostClock is the time on a host.
type hostClock struct {
	cfg   *Config
	index int // of the host
	tick  uint64
	boot  int64 // boot time of the last snapshot; before the first step, of one an interval before the first
}

// wall is the wall time of the last snapshot.
func (c *hostClock) wall() int64 {
	return c.cfg.Start.Add(c.cfg.phase(c.index)).UnixNano() + int64(c.tick-1)*int64(c.cfg.Interval)
}

// wallAt is a boot time as wall time.
func (c *hostClock) wallAt(boot int64) int64 { return c.wall() - (c.boot - boot) }
