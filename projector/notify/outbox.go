package notify

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

// outbox is what one receiver is still to be told, and how it takes it. It is kept in the file.
type outbox struct {
	Waiting   map[string]*pending `json:"waiting"`    // by episode
	NotBefore int64               `json:"not_before"` // the next try, Unix nanoseconds
	Failures  int                 `json:"failures"`   // one after the other
	Sent      []int64             `json:"sent"`       // when, within the last minute
	Delivered uint64              `json:"delivered"`  // notices so far
	Dead      uint64              `json:"dead"`       // that were given up
	LastDead  string              `json:"last_dead"`  // why the last one was
}

// pending is an episode of which a receiver is told, or is to be told.
type pending struct {
	Alert
	Revision uint64          `json:"revision"` // of the message that was taken in last
	Came     int64           `json:"came"`     // when what is to be told was taken in, Unix nanoseconds
	Told     Status          `json:"told"`     // empty for nothing
	Worst    schema.Severity `json:"worst"`    // that was told
}

// takeIn takes in what an episode's message says, at a time.
func (o *outbox) takeIn(r *Receiver, m *schema.Message, now time.Time) {
	alert := alertOf(m)
	p := o.Waiting[alert.Episode]
	switch {
	case p != nil && m.Seq <= p.Revision:
		return
	case p == nil && !r.takes(&alert):
		return
	case p == nil:
		p = &pending{}
		o.Waiting[alert.Episode] = p
	}
	before := p.wants(r)
	p.Alert, p.Revision = alert, m.Seq
	if wants := p.wants(r); wants != before || p.Came == 0 {
		p.Came = now.UnixNano()
	}
}

// wants is what is to be told next of an episode; empty for nothing.
func (p *pending) wants(r *Receiver) Status {
	switch {
	case p.Told == "":
		return Firing
	case p.Ended != nil && r.tellsEnds():
		return Resolved
	case p.Ended == nil && p.Severity.Rank() > p.Worst.Rank() && r.Alertmanager == nil: // there the severity is a part of the alert's name
		return Firing
	}
	return ""
}

func (r *Receiver) tellsEnds() bool { return r.Resolved == nil || *r.Resolved }

// due are the notices that are to be sent at a time, the oldest first, no more than the receiver takes in a minute.
func (o *outbox) due(r *Receiver, silences []Silence, now time.Time) []Notice {
	o.forget(r, silences, now)
	o.Sent = slices.DeleteFunc(o.Sent, func(at int64) bool { return at <= now.Add(-time.Minute).UnixNano() })
	if now.UnixNano() < o.NotBefore {
		return nil
	}
	type group struct {
		key    string
		status Status
		alerts []Alert
		oldest int64
	}
	groups := map[string]*group{}
	for _, id := range slices.Sorted(maps.Keys(o.Waiting)) {
		p := o.Waiting[id]
		status := p.wants(r)
		if status == "" || status == Firing && silenced(silences, &p.Alert, now) {
			continue
		}
		key := string(status)
		for _, label := range r.GroupBy {
			key += "\x00" + p.label(label)
		}
		g := groups[key]
		if g == nil {
			g = &group{key, status, nil, p.Came}
			groups[key] = g
		}
		alert := p.Alert
		if r.Alertmanager != nil && p.Told != "" {
			alert.Severity = p.Worst
		}
		g.alerts, g.oldest = append(g.alerts, alert), min(g.oldest, p.Came)
	}
	ready := slices.DeleteFunc(slices.Collect(maps.Values(groups)), func(g *group) bool { return now.UnixNano() < g.oldest+int64(r.GroupWait) })
	slices.SortFunc(ready, func(a, b *group) int {
		if a.oldest != b.oldest {
			return map[bool]int{true: -1, false: 1}[a.oldest < b.oldest]
		}
		return strings.Compare(a.key, b.key)
	})
	var notices []Notice
	for _, g := range ready[:min(len(ready), max(0, r.MostAMinute-len(o.Sent)))] {
		notices = append(notices, noticeOf(r.Name, r.GroupBy, g.status, g.alerts))
	}
	return notices
}

// forget drops episodes of which nothing is to be told any more: that were told to their end, and that began and ended while they were silenced.
func (o *outbox) forget(r *Receiver, silences []Silence, now time.Time) {
	maps.DeleteFunc(o.Waiting, func(_ string, p *pending) bool {
		return p.Ended != nil && (p.Told == "" && silenced(silences, &p.Alert, now) || p.Told == Resolved || p.Told == Firing && !r.tellsEnds())
	})
}

// done notes how a try went, at a time: err is nil when the receiver has taken the notice. It returns whether the notice was given up.
func (o *outbox) done(r *Receiver, n *Notice, err error, now time.Time) (dead bool) {
	if err != nil && !refused(err) && now.UnixNano() < o.oldest(n)+int64(r.GiveUpAfter) {
		o.NotBefore = now.Add(pause(o.Failures)).UnixNano()
		o.Failures++
		return false
	}
	for i := range n.Alerts {
		if p := o.Waiting[n.Alerts[i].Episode]; p != nil {
			p.tell(n.Status, n.Alerts[i].Severity, now)
		}
	}
	o.forget(r, nil, now)
	o.Failures, o.NotBefore = 0, 0
	if err != nil {
		o.Dead++
		o.LastDead = err.Error()
		return true
	}
	o.Delivered++
	o.Sent = append(o.Sent, now.UnixNano())
	return false
}

// tell notes that something of an episode was told. What is of one moment has no end to tell.
func (p *pending) tell(status Status, severity schema.Severity, now time.Time) {
	p.Told, p.Worst, p.Came = status, severity, now.UnixNano()
	if status == Firing && p.EndReason == string(schema.EndMoment) {
		p.Told = Resolved
	}
}

// oldest is since when the oldest episode of a notice waits.
func (o *outbox) oldest(n *Notice) int64 {
	oldest := int64(1<<63 - 1)
	for i := range n.Alerts {
		if p := o.Waiting[n.Alerts[i].Episode]; p != nil {
			oldest = min(oldest, p.Came)
		}
	}
	return oldest
}

// longestPause is the longest between two tries.
const longestPause = 2 * time.Minute

// pause is how long to wait after so many failures, one after the other.
func pause(failures int) time.Duration {
	if failures > 7 {
		return longestPause
	}
	return min(longestPause, time.Second<<failures)
}
