package top

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// goLive shows what is now, and goes on with it.
func goLive(m *Model) {
	remember(m)
	m.clock.mode, m.clock.at = live, 0
	m.list.hold, m.cursor.seek = nil, 0
	askFrame(m)
}

// goTo shows a time. One that is still to come is live.
func goTo(m *Model, at float64) {
	if at >= m.clock.now {
		goLive(m)
		return
	}
	remember(m)
	m.clock.mode, m.clock.at = past, at
	askFrame(m)
}

// mostRemembered is how many times the way back is long.
const mostRemembered = 50

// remember keeps the time that is shown, for the way back.
func remember(m *Model) {
	c := &m.clock
	at := c.at
	if c.mode == live {
		at = 0
	}
	c.before = append(c.before, at)
	if over := len(c.before) - mostRemembered; over > 0 {
		c.before = c.before[over:]
	}
}

// whereIWas goes back to the time that was shown before.
func whereIWas(m *Model) {
	c := &m.clock
	n := len(c.before)
	if n == 0 {
		say(m, "this is where it began")
		return
	}
	at := c.before[n-1]
	if at == 0 {
		c.mode = live
	} else {
		c.mode, c.at = past, at
	}
	c.before = c.before[:n-1]
	askFrame(m)
}

// hold stops the screen while the record goes on, and lets it go on.
func hold(m *Model) {
	switch c := &m.clock; c.mode {
	case live:
		if m.frame == nil {
			return
		}
		remember(m)
		c.mode, c.at = held, m.frame.At
	case held:
		goLive(m)
	case replay:
		c.mode = past
	case past:
		say(m, "the past does not go on: r replays it, . shows what is now")
	}
}

// fastest is how much faster than it was the past is replayed at most.
const fastest = 64

// replayFaster replays the past, each time at twice the speed.
func replayFaster(m *Model) {
	switch c := &m.clock; c.mode {
	case live:
		say(m, "there is nothing to replay yet: T goes back")
	case replay:
		c.speed = min(2*c.speed, fastest)
	default:
		c.mode, c.speed = replay, 1
	}
}

// replaySlower replays at half the speed, and stops below 1.
func replaySlower(m *Model) {
	switch c := &m.clock; {
	case c.mode == replay && c.speed > 1:
		c.speed /= 2
	case c.mode == replay:
		c.mode = past
	default:
		say(m, "nothing is replayed: r does that")
	}
}

// tick tells the time now. A live screen and a replay go on.
func tick(m *Model, now float64) {
	c := &m.clock
	gone := now - c.now
	if c.now == 0 {
		gone = 0
	}
	c.now = now
	switch c.mode {
	case live:
		if !m.asking && now-c.asked >= m.opts.Interval.Seconds() {
			c.asked = now
			askFrame(m)
		}
	case replay:
		if m.asking {
			return // the record is read slower than it is replayed
		}
		c.at += gone * float64(c.speed)
		if c.at >= now {
			c.mode = live
		}
		askFrame(m)
	}
}

// step goes to the next stop in time, or to the one before.
func step(to Stop, back bool) func(*Model) {
	return func(m *Model) {
		if m.clock.mode == live && !back {
			say(m, "this is now: T goes back")
			return
		}
		from := shown(m)
		switch f := m.frame; {
		case m.clock.mode != live:
		case to != StopSample:
			from = m.clock.now // the frame is some seconds old, and what died since is what is looked for
		case f != nil && len(f.Hosts) == 1:
			from = f.Hosts[0].Timestamp
		}
		request(m, AskStep{from, to, back, m.opts.Host})
	}
}

// stepped goes to where a step ended.
func stepped(m *Model, s AskStep, at float64) {
	switch {
	case at == 0 && s.Back && s.To == StopSample:
		say(m, "the record begins here")
	case at == 0 && s.To == StopSample:
		goLive(m)
	case at == 0:
		say(m, map[Stop]string{StopTrouble: "no other death or anomaly that way", StopHole: "no other gap that way"}[s.To])
	default:
		goTo(m, at)
		if s.To == StopTrouble {
			m.cursor.seek = at
		}
	}
}

// askTime asks for a time to go to.
func askTime(m *Model) {
	m.prompt = &prompt{label: "go to (-15m, 03:10, yesterday 14:00)", done: func(m *Model, text string) error {
		at, err := m.opts.Time(text, m.clock.now)
		if err == nil {
			goTo(m, at)
		}
		return err
	}}
}

// askJump asks by how much to go on, or back. Nothing typed repeats the last jump.
func askJump(back bool) func(*Model) {
	way := "forward"
	if back {
		way = "back"
	}
	return func(m *Model) {
		m.prompt = &prompt{label: fmt.Sprintf("%s by (%s)", way, m.clock.jump), done: func(m *Model, text string) error {
			if text == "" {
				text = m.clock.jump
			}
			by, err := parseJump(text)
			if err != nil {
				return err
			}
			m.clock.jump = text
			if back {
				by = -by
			}
			goTo(m, shown(m)+by)
			return nil
		}}
	}
}

// parseJump reads a span such as 90s, 5m or 1h30m; a number alone is seconds.
func parseJump(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if v, err := seconds.parse(text); err == nil && v > 0 && v < 1e9 {
		return v, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("write it as 90s, 5m, 1h30m or 2d")
	}
	return d.Seconds(), nil
}
