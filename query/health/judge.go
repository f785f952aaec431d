package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/state"
	"github.com/proctape/proctape/schema/trouble"
)

// The bounds of a verdict. schema/trouble and docs/trouble.md say the same in words.
const (
	stuckAfter    = 20 * time.Second // that a process may not have said how it is
	startTime     = 10 * time.Minute // that a recorder may take to start
	behindAfter   = 30 * time.Second // of the oldest message that is not projected
	standsAfter   = time.Minute      // that a projection may not move with messages to fold
	silentPeriods = 3
	silentSlack   = 2 * time.Second
	goneAfter     = 24 * time.Hour // a host that is silent for longer is no longer missed
	clockApart    = 5 * time.Second
	lateShare     = 0.05 // of the samples of an hour
	queueShare    = 0.25 // of the bytes that may wait
	namesShown    = 3
)

// Judge judges figures. The worst reasons come first, and then the oldest.
func Judge(f Figures) Verdict {
	j := &judge{f: f, seen: map[[2]string]bool{}}
	j.process()
	j.own()
	j.log()
	j.projection()
	if j.hears() {
		j.hosts()
	}
	j.record()
	v := Verdict{Troubles: j.troubles}
	if v.Troubles == nil {
		v.Troubles = []Trouble{}
	}
	for _, t := range v.Troubles {
		info, _ := t.Kind.Info()
		v.Level = max(v.Level, info.Level)
	}
	v.Word = v.Level.String()
	slices.SortStableFunc(v.Troubles, func(a, b Trouble) int { return cmp.Compare(rank(b), rank(a)) })
	return v
}

func rank(t Trouble) trouble.Level {
	info, _ := t.Kind.Info()
	return info.Level
}

// process judges whether there are processes that record and project, and whether they can be heard.
func (j *judge) process() {
	f := &j.f
	switch {
	case f.Remote:
	case f.Recorder == 0 && f.Projector == 0:
		j.add(trouble.NoRecorder, f.Data, ended(f.State), nil, "no recorder runs on %s", f.Data)
		return
	case f.Recorder == 0: // project, on a server that --server did not name
	case f.Projector == 0 && f.Now.Sub(f.Opened) < startTime:
		j.add(trouble.Starting, f.Data, f.Opened, nil, "process %d starts: it checks the log or opens the database", f.Recorder)
		return
	}
	if f.Projector == 0 {
		if f.Database != "" {
			j.add(trouble.NoProjector, f.Database, time.Time{}, nil, "nobody projects the log into %s", f.Database)
		}
		return
	}
	if f.ReadOnly != "" {
		j.add(trouble.ReadOnly, f.Data, time.Time{}, nil, "the folder can no longer be written: %s", f.ReadOnly)
	}
	switch {
	case f.Halted:
		j.add(trouble.Stopped, "", time.Time{}, nil, "process %d is stopped by a signal or a debugger", f.Projector)
	case f.State == nil && !f.Remote && f.Now.Sub(f.Opened) >= startTime:
		j.add(trouble.Stuck, "", f.Opened, nil, "process %d has not said how it is", f.Projector)
	case f.State == nil && !f.Remote:
		j.add(trouble.Starting, f.Data, f.Opened, nil, "process %d starts", f.Projector)
	case f.State != nil && f.Age > stuckAfter:
		j.add(trouble.Stuck, "", f.Now.Add(-f.Age), nil, "process %d has not said how it is", f.Projector)
	}
}

// ended is when a process that no longer runs spoke last; zero when it never did.
func ended(p *state.Process) time.Time {
	if p == nil {
		return time.Time{}
	}
	return time.Unix(0, p.Said.Wall)
}

// lives reports whether what the process says of itself is how it is now.
func (j *judge) lives() bool {
	return j.f.State != nil && !j.f.State.Ended && (j.f.Projector != 0 || j.f.Remote) && j.f.Age <= stuckAfter
}

// own judges by what the process says of itself.
func (j *judge) own() {
	if !j.lives() {
		return
	}
	for _, t := range j.f.State.Troubles {
		info, known := t.Kind.Info()
		if !known {
			continue
		}
		text := info.Doc
		if i := strings.IndexAny(text, ":;"); i > 0 {
			text = text[:i]
		}
		if t.About != "" {
			text += " [" + t.About + "]"
		}
		if t.Reason != "" {
			text += ": " + strings.ReplaceAll(t.Reason, "\n", "; ") // of several errors
		}
		j.add(t.Kind, t.About, t.Since, t.Figures, "%s", text)
	}
	s := j.f.State.Sampler
	if s != nil && s.QueueBytes > 0 && float64(s.WaitingBytes) > queueShare*float64(s.QueueBytes) {
		j.add(trouble.Queue, s.Host, time.Time{}, map[string]int64{"waiting_items": int64(s.Waiting), "waiting_bytes": s.WaitingBytes, "queue_bytes": s.QueueBytes},
			"%d items wait in the sampler, %d %% of what may wait", s.Waiting, 100*s.WaitingBytes/s.QueueBytes)
	}
}

// log judges the streams.
func (j *judge) log() {
	f := &j.f
	if f.Log.Error != "" {
		j.add(trouble.LogSilent, "", time.Time{}, nil, "the log does not answer: %s", f.Log.Error)
		return
	}
	for _, s := range f.Streams {
		if s.Gone {
			j.add(trouble.StreamGone, s.Name, time.Time{}, nil, "stream %s is gone", s.Name)
		}
	}
}

// projection judges how far the database is behind the log.
func (j *judge) projection() {
	if j.f.Projector == 0 && !j.f.Remote || j.f.Database == "" && j.f.State == nil {
		return // nobody projects, which was said, or nobody here
	}
	for _, s := range j.f.Streams {
		late := j.f.Now.Sub(s.Oldest)
		if s.Oldest.IsZero() || late < behindAfter || s.Last <= s.Seq {
			continue
		}
		figures := map[string]int64{"messages": int64(s.Last - s.Seq)}
		if moved, known := j.moved(s.Name); known && j.f.Now.Sub(moved) > standsAfter {
			if !j.seen[[2]string{string(trouble.Projection), j.f.Database}] {
				j.add(trouble.Projection, s.Name, s.Oldest, figures, "the projection of %s stands: %d messages wait", s.Name, s.Last-s.Seq)
			}
			continue
		}
		j.add(trouble.Behind, s.Name, s.Oldest, figures, "the database is %d messages of %s behind", s.Last-s.Seq, s.Name)
	}
}

// moved is when a stream's projection last moved, or its process began.
func (j *judge) moved(stream string) (at time.Time, known bool) {
	if !j.lives() || j.f.State.Projects == nil {
		return time.Time{}, false
	}
	return time.Unix(0, max(j.f.State.Projects[stream].Moved, j.f.State.Started)), true
}

// hears reports whether it can be known that hosts are silent: something that records would have heard them.
func (j *judge) hears() bool { return j.f.Log.Asked && j.f.Log.Error == "" }

// hosts judges who is silent, and whose clock differs.
func (j *judge) hosts() {
	var silent []Host
	for _, h := range j.f.Hosts {
		quiet := j.f.Now.Sub(h.Seen)
		switch {
		case h.Asked && h.Ahead.Abs() > clockApart+max(0, h.Interval):
			j.add(trouble.ClockDiffers, h.Name, time.Time{}, map[string]int64{"ahead_ms": h.Ahead.Milliseconds()}, "%s", apart(h))
		case h.Stopped:
		case h.Interval <= 0 || !h.Asked && h.Seen.After(j.f.Now):
		case quiet > silentPeriods*h.Interval+silentSlack && quiet < goneAfter:
			silent = append(silent, h)
		}
	}
	for i, h := range silent {
		if i == namesShown && len(silent) > namesShown+1 {
			j.add(trouble.SilentHost, "", time.Time{}, map[string]int64{"hosts": int64(len(silent) - i)}, "%d more hosts are silent", len(silent)-i)
			return
		}
		j.add(trouble.SilentHost, h.Name, h.Seen, nil, "host %s is silent", h.Name)
	}
}

// apart says how a host's clock differs.
func apart(h Host) string {
	if h.Ahead > 0 {
		return fmt.Sprintf("the clock of %s is %s ahead of the log's", h.Name, short(h.Ahead))
	}
	return fmt.Sprintf("the clock of %s is %s behind the log's, or its samples come late", h.Name, short(-h.Ahead))
}

// record judges what the record of the last hour says.
func (j *judge) record() {
	f := &j.f
	for _, h := range f.Doubles {
		j.add(trouble.TwoRecorders, h, time.Time{}, nil, "two samplers record under the name %s", h)
	}
	for _, s := range f.Steps {
		j.add(trouble.ClockStep, s.Host, seconds(s.At), nil, "host %s: %s", s.Host, s.Details)
	}
	for _, l := range f.Lost {
		j.loss(l)
	}
	for _, l := range f.Late {
		if time.Duration(l.Samples)*l.Interval > time.Duration(lateShare*float64(time.Hour)) {
			j.add(trouble.LateSamples, l.Host, time.Time{}, map[string]int64{"samples": l.Samples}, "%d samples of %s were not taken in time in the last hour", l.Samples, l.Host)
		}
	}
	if f.Retention != "" {
		j.add(trouble.Retention, f.Database, time.Time{}, nil, "the last pass of retention failed: %s", f.Retention)
	}
	if f.Proof != nil && f.Proof.Failed != "" {
		j.add(trouble.Proof, f.Database, time.Time{}, nil, "%s", f.Proof.Failed)
	}
}

// pauses are kinds of gaps that say when a host was not recorded, and not that something was lost; late samples are judged by
// themselves.
var pauses = []schema.GapKind{schema.GapRestart, schema.GapReboot, schema.GapSilence, schema.GapMissedTicks}

// loss judges what is missing.
func (j *judge) loss(l Loss) {
	info, _ := l.Kind.Info()
	figures := map[string]int64{"count": l.Count, "gaps_without_count": l.Unknown}
	switch {
	case slices.Contains(pauses, l.Kind), info.Loss == schema.LossNone, l.Count == 0 && l.Unknown == 0:
	case l.Kind == schema.GapQuarantined:
		j.add(trouble.Quarantine, "", seconds(l.First), figures, "%d items came that cannot be read", l.Count)
	case l.Count == 0:
		j.add(trouble.Losses, string(l.Kind), seconds(l.First), figures, "something is lost, nobody knows how much (%s)", l.Kind)
	default:
		j.add(trouble.Losses, string(l.Kind), seconds(l.First), figures, "%d lost (%s)", l.Count, l.Kind)
	}
}

// seconds is a time in Unix seconds.
func seconds(at float64) time.Time { return time.Unix(0, int64(at*1e9)) }
