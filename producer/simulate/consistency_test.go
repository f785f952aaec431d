package simulate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/proctape/proctape/schema"
)

// consistency follows the messages of one host, step by step, and objects to what no host could do.
type consistency struct {
	cfg      Config
	host     string
	numbers  map[schema.Kind]uint64
	produced uint64
	tick     uint64
	boot     int64
	alive    map[identityOf]schema.Process
	seen     tally
}

// identityOf is what makes a process one, within a boot of a host.
type identityOf struct {
	pid   int
	start uint64
}

// tally counts what the messages held, so that a test can see whether they held anything.
type tally struct {
	rows, idle, busy, zombies, spawns, execs, exits, sheets, jobs int
}

func newConsistency(cfg Config, host string) *consistency {
	return &consistency{cfg: cfg, host: host, numbers: map[schema.Kind]uint64{}}
}

// step takes the messages of one step.
func (s *consistency) step(messages []schema.Message) error {
	var snap *schema.Message
	spawned, exited := map[identityOf]schema.Event{}, map[identityOf]schema.Event{}
	var execs []schema.Exec
	var errs []error
	for i := range messages {
		m := &messages[i]
		errs = append(errs, s.envelope(m), roundTrip(m))
		switch m.Kind {
		case schema.KindSnapshot:
			if snap != nil {
				errs = append(errs, errors.New("a second snapshot"))
			}
			snap = m
		case schema.KindSpawn:
			errs = append(errs, s.gather(spawned, m))
		case schema.KindExit:
			errs = append(errs, s.gather(exited, m))
		case schema.KindExec:
			execs = append(execs, m.Execs...)
		case schema.KindJob:
			s.countJobs(m.Jobs)
		}
	}
	if snap == nil {
		return errors.Join(append(errs, errors.New("no snapshot"))...)
	}
	s.seen.spawns, s.seen.exits = s.seen.spawns+len(spawned), s.seen.exits+len(exited)
	errs = append(errs, s.execute(spawned, execs, snap))
	errs = append(errs, s.snapshot(snap), s.turnover(snap, spawned, exited))
	s.alive = map[identityOf]schema.Process{}
	for _, p := range snap.Snapshot.Processes.Rows() {
		s.alive[identityOf{p.PID, p.StartTicks}] = p
	}
	s.tick, s.boot = snap.Snapshot.Tick, snap.Boot
	return errors.Join(errs...)
}

func (s *consistency) envelope(m *schema.Message) error {
	if m.Host != s.host {
		return fmt.Errorf("host %s among the messages of %s", m.Host, s.host)
	}
	if want := s.numbers[m.Kind] + 1; m.Seq != want {
		return fmt.Errorf("%s has number %d, want %d", m.Kind, m.Seq, want)
	}
	s.numbers[m.Kind] += m.Count()
	s.produced += m.Count()
	if m.Produced != s.produced {
		return fmt.Errorf("%s says that %d were produced, %d were", m.Kind, m.Produced, s.produced)
	}
	return nil
}

// roundTrip checks that a message is one that the log takes and a reader gets back.
func roundTrip(m *schema.Message) error {
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		return err
	}
	got, err := schema.Decode("", encoding, payload)
	if err != nil {
		return err
	}
	again, _, err := schema.Encode(nil, got)
	if err != nil {
		return err
	}
	if !bytes.Equal(payload, again) {
		return fmt.Errorf("%s is another message when it is read", m.Kind)
	}
	return nil
}

// gather takes in events, which must be of this step and in order.
func (s *consistency) gather(into map[identityOf]schema.Event, m *schema.Message) error {
	if !slices.IsSortedFunc(m.Events, func(a, b schema.Event) int { return cmp.Compare(a.Boot, b.Boot) }) {
		return fmt.Errorf("%s: out of order", m.Kind)
	}
	for _, e := range m.Events {
		id := identityOf{e.PID, e.StartTicks}
		if _, twice := into[id]; twice {
			return fmt.Errorf("%s of %v twice", m.Kind, id)
		}
		if e.Boot <= s.boot || e.Boot > m.Boot || e.Wall-e.Boot != m.Wall-m.Boot {
			return fmt.Errorf("%s of %v at %d, between looks at %d and %d", m.Kind, id, e.Boot, s.boot, m.Boot)
		}
		into[id] = e
	}
	return nil
}

// execute gives the processes that were spawned the commands that they came to execute. Each does so once, after its spawn
// and in this step.
func (s *consistency) execute(spawned map[identityOf]schema.Event, execs []schema.Exec, m *schema.Message) error {
	last := int64(0)
	for _, e := range execs {
		id := identityOf{e.PID, e.StartTicks}
		began, ok := spawned[id]
		if !ok || e.Boot <= began.Boot || e.Boot > m.Boot || e.Wall-e.Boot != m.Wall-m.Boot || e.Command == began.Command ||
			e.JobID != began.JobID || e.Sheet != began.Sheet || e.UID != began.UID || e.Boot < last {
			return fmt.Errorf("exec %+v after spawn %+v", e, began)
		}
		last = e.Boot
		began.Command = e.Command
		spawned[id] = began
	}
	s.seen.execs += len(execs)
	return nil
}

func (s *consistency) countJobs(jobs []schema.JobEvent) {
	for _, j := range jobs {
		switch j.Type {
		case schema.JobSheetEnded:
			s.seen.sheets++
		case schema.JobEnded:
			s.seen.jobs++
		}
	}
}

// snapshot checks a snapshot by itself, and against the one before.
func (s *consistency) snapshot(m *schema.Message) error {
	snap := m.Snapshot
	if snap.Processes.Len() != s.cfg.Processes {
		return fmt.Errorf("%d processes, want %d", snap.Processes.Len(), s.cfg.Processes)
	}
	if snap.Tick != s.tick+1 || s.tick > 0 && m.Boot-s.boot != int64(s.cfg.Interval) {
		return fmt.Errorf("tick %d at %d after tick %d at %d", snap.Tick, m.Boot, s.tick, s.boot)
	}
	byPID := map[int]*schema.Process{}
	rows := snap.Processes.Rows()
	for i := range rows {
		byPID[rows[i].PID] = &rows[i]
	}
	var errs []error
	var used uint64
	for i := range rows {
		p := &rows[i]
		old, known := s.alive[identityOf{p.PID, p.StartTicks}]
		errs = append(errs, s.process(p, m.Boot, old, known), kinship(p, byPID[p.PPID]))
		if known {
			used += p.CPUMillis - old.CPUMillis
		}
		s.count(p)
	}
	if window := ticksAt(m.Boot) - ticksAt(m.Boot-int64(s.cfg.Interval)); used > window*10*uint64(snap.CPUs) {
		errs = append(errs, fmt.Errorf("%d ms of CPU were used in %d ticks on %d CPUs", used, window, snap.CPUs))
	}
	if byPID[snap.DaemonPID] == nil {
		errs = append(errs, fmt.Errorf("the sampler's pid %d is nobody's", snap.DaemonPID))
	}
	return errors.Join(errs...)
}

func (s *consistency) count(p *schema.Process) {
	s.seen.rows++
	switch {
	case p.State == zombie:
		s.seen.zombies++
	case p.CPUPermille.V == 0:
		s.seen.idle++
	case p.CPUPermille.V > 500:
		s.seen.busy++
	}
}

// process checks that what a process used adds up to what it had before.
func (s *consistency) process(p *schema.Process, boot int64, old schema.Process, known bool) error {
	millis, elapsed := p.CPUMillis, boot-int64(p.StartTicks)*nsPerTick
	if known {
		if p.CPUMillis < old.CPUMillis || fell(old.ReadKiB, p.ReadKiB) || fell(old.WriteKiB, p.WriteKiB) {
			return fmt.Errorf("pid %d: a counter fell from %+v to %+v", p.PID, old, *p)
		}
		if p.Command != old.Command || p.PPID != old.PPID || p.JobID != old.JobID || p.Sheet != old.Sheet {
			return fmt.Errorf("pid %d became another: %+v, %+v", p.PID, old, *p)
		}
		millis, elapsed = p.CPUMillis-old.CPUMillis, int64(s.cfg.Interval)
	}
	if want := int64(math.Round(float64(millis) * 1e9 / float64(elapsed))); p.CPUPermille != schema.Some(want) {
		return fmt.Errorf("pid %d used %d ms in %d ns: want %d permille, got %v", p.PID, millis, elapsed, want, p.CPUPermille)
	}
	if most := float64(p.Threads) * (float64(elapsed) + float64(nsPerTick)) / 1e6; float64(millis) > most && p.State != zombie {
		return fmt.Errorf("pid %d used %d ms in %d ns with %d threads", p.PID, millis, elapsed, p.Threads)
	}
	if p.State == zombie && (p.RSS.V != 0 || p.OpenFDs.Known || p.FDLimit.Known) {
		return fmt.Errorf("pid %d has ended and holds something: %+v", p.PID, *p)
	}
	if p.RSS.V%4 != 0 || p.VMS.V%4 != 0 {
		return fmt.Errorf("pid %d holds %d and %d KiB, which are no whole pages", p.PID, p.RSS.V, p.VMS.V)
	}
	return nil
}

func fell(old, now schema.Opt[int64]) bool { return old.Known && now.Known && now.V < old.V }

// kinship checks that a process has a parent that was there first.
func kinship(p, parent *schema.Process) error {
	switch {
	case p.PID == 1 && p.PPID == 0:
		return nil
	case parent == nil:
		return fmt.Errorf("pid %d: no parent %d", p.PID, p.PPID)
	case parent.StartTicks > p.StartTicks:
		return fmt.Errorf("pid %d started at %d, before its parent at %d", p.PID, p.StartTicks, parent.StartTicks)
	}
	return nil
}

// turnover checks that the events are what the snapshots differ by.
func (s *consistency) turnover(m *schema.Message, spawned, exited map[identityOf]schema.Event) error {
	if s.tick == 0 {
		if len(spawned)+len(exited) > 0 {
			return errors.New("events before there was anything to compare with")
		}
		return nil
	}
	var errs []error
	for _, p := range m.Snapshot.Processes.Rows() {
		id := identityOf{p.PID, p.StartTicks}
		if _, known := s.alive[id]; known {
			delete(s.alive, id)
			continue
		}
		e, ok := spawned[id]
		if !ok || e.Command != p.Command || e.PPID != schema.Some(int64(p.PPID)) || e.JobID != p.JobID || e.Sheet != p.Sheet {
			errs = append(errs, fmt.Errorf("pid %d is new, its spawn is %+v", p.PID, e))
		}
		delete(spawned, id)
	}
	for id, p := range s.alive {
		e, ok := exited[id]
		if !ok || e.Command != p.Command || e.JobID != p.JobID || e.Sheet != p.Sheet || e.CPUMillis.V < int64(p.CPUMillis) ||
			e.ExitCode.Known == e.Signal.Known || p.State != zombie && e.PeakRSS.V < p.RSS.V || e.PeakRSS.V%4 != 0 || fell(p.ReadKiB, e.ReadKiB) {
			errs = append(errs, fmt.Errorf("pid %d is gone, its exit is %+v", p.PID, e))
		}
		delete(exited, id)
	}
	if len(spawned)+len(exited) > 0 {
		errs = append(errs, fmt.Errorf("events of nobody: spawns %v, exits %v", spawned, exited))
	}
	return errors.Join(errs...)
}
