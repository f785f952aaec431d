package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/query"
)

// Newest is the name of the newest run for [ReadRun].
const Newest = ""

const (
	mostDeaths    = 8
	mostProcesses = 5
)

// ReadRun reads the report of a run of a job, by its number or its id, or of [Newest], as of now. It returns [query.ErrNoJob], a
// *[query.JobHostError], a *[query.NoRunError] or a *[query.RunHostsError] where there is no such run.
func ReadRun(ctx context.Context, db *query.DB, job query.JobFilter, run string, now time.Time) (*RunReport, error) {
	r := runReader{db: db, now: float64(now.UnixNano()) / 1e9, out: &RunReport{Steps: []Step{}, Deaths: []Death{}, Left: []query.Orphan{}, Advice: []Advice{}}}
	if err := r.find(ctx, job, run); err != nil {
		return nil, err
	}
	for _, read := range []func(context.Context) error{r.readUse, r.addWhole, r.readSamples, r.addTogether, r.readDeaths, r.readLeft, r.readBefore} {
		if err := read(ctx); err != nil {
			return nil, fmt.Errorf("report job %q: %w", job.Name, err)
		}
	}
	r.out.Advice = append(r.out.Advice, advise(r.out)...)
	return r.out, nil
}

// runReader reads what a report of a run is made of.
type runReader struct {
	db     *query.DB
	now    float64
	during query.JobTime
	before *query.Run            // of the same job
	of     map[query.Member]bool // the processes that count; nil for all of the job
	out    *RunReport
}

// find finds the run, and those around it.
func (r *runReader) find(ctx context.Context, job query.JobFilter, run string) error {
	runs, err := query.Runs(ctx, r.db, job)
	if err != nil {
		return err
	}
	if run == Newest {
		if len(runs) == 0 {
			return r.findUndeclared(ctx, job)
		}
		newest, err := query.NewestRun(job, runs, func(*query.Run) bool { return true })
		if err != nil {
			return err
		}
		run = newest.ID
	}
	found, err := query.FindRunOf(ctx, r.db, job, runs, run)
	if err != nil {
		return err
	}
	r.out.Run = *found
	found = &r.out.Run // the list is about to be shortened in place
	same := slices.DeleteFunc(runs, func(of query.Run) bool { return of.Host != found.Host || of.Fleet != found.Fleet })
	at := slices.IndexFunc(same, func(of query.Run) bool { return of.ID == found.ID })
	var next *query.Run
	if at > 0 {
		r.before = &same[at-1]
	}
	if at+1 < len(same) {
		next = &same[at+1]
	}
	r.out.Runs, r.out.LastRun, r.out.Newest = len(same), same[len(same)-1].Number, next == nil
	r.during = query.JobTimeOf(found, next, r.now)
	if err := r.readAtOnce(ctx, same); err != nil {
		return err
	}
	for _, s := range found.Steps {
		if r.of != nil {
			forgetCounted(&s.Totals)
		}
		r.out.Steps = append(r.out.Steps, Step{RunStep: s})
	}
	return nil
}

// readAtOnce finds out which other runs went on at the same time, and which processes are of this one.
func (r *runReader) readAtOnce(ctx context.Context, same []query.Run) error {
	o := r.out
	o.AtOnce = atOnceWith(&o.Run, same, r.now)
	if len(o.AtOnce) == 0 {
		return nil
	}
	members, known, err := query.RunMembers(ctx, r.db, &o.Run, r.during.From, r.during.To)
	if known {
		r.during.Members, o.ToldApart, r.of = members, true, map[query.Member]bool{}
		for _, m := range members {
			r.of[m] = true
		}
		forgetCounted(&o.Totals)
	}
	return err
}

// isOf reports whether a process counts for the run.
func (r *runReader) isOf(pid, start int64) bool {
	return r.of == nil || r.of[query.Member{PID: pid, StartTicks: start}]
}

// findUndeclared makes a run of all of a job that nobody declared: of several of the name, of the one that was seen last.
func (r *runReader) findUndeclared(ctx context.Context, job query.JobFilter) error {
	if _, err := query.JobScopes(ctx, r.db, job); err != nil {
		return err
	}
	of, err := query.JobExtents(ctx, r.db, job)
	if err != nil {
		return err
	}
	last, err := query.NewestExtent(job, of)
	if err != nil || last == nil {
		return err
	}
	o := r.out
	o.JobID, o.Host, o.Fleet, o.Started, o.Newest, o.Command = job.Name, last.Host, last.Fleet, last.From, true, last.Command
	o.ExitCode, o.Status = last.ExitCode, last.Status
	if !last.Open {
		o.Ended = &last.To
	}
	if o.Coverage, err = query.JobCoverage(ctx, r.db, query.JobFilter{Name: job.Name, Host: last.Host}); err != nil {
		return err
	}
	r.during = query.JobTime{Job: job.Name, Fleet: last.Fleet, Host: last.Host, From: last.From, To: r.now}
	return nil
}

// readUse reads what starts and ends tell, and completes the totals of the run and of its steps.
func (r *runReader) readUse(ctx context.Context) error {
	uses, err := query.StepUses(ctx, r.db, r.during)
	if err != nil {
		return err
	}
	o, exits := r.out, "exits"
	var cpu, system, read, write, largest *float64
	apart := true
	for _, u := range uses {
		o.Spawns, o.Exits, o.Failed, o.IOKnown = o.Spawns+u.Spawns, o.Exits+u.Exits, o.Failed+u.Failed, o.IOKnown+u.IOKnown
		system, apart = sum(system, u.SystemCPU), apart && (u.CPUSeconds == nil) == (u.SystemCPU == nil)
		cpu, read, write, largest = sum(cpu, u.CPUSeconds), sum(read, u.Read), sum(write, u.Write), most(largest, u.PeakRSS)
		if u.Sheet != nil {
			r.step(&u).complete(&u)
		}
	}
	slices.SortFunc(o.Steps, func(a, b Step) int { return int(a.Sheet - b.Sheet) })
	if !apart {
		system = nil
	}
	fill(&o.Totals, cpu, system, largest, read, write, &exits)
	r.addSteps()
	if n := max(o.Spawns, o.Exits); n > 0 && o.Processes == nil {
		o.Processes = &n
	}
	end := r.now
	if o.Ended != nil {
		end = *o.Ended
	}
	wall := max(0, end-o.Started)
	o.Seconds, o.Cores = &wall, perSecond(o.CPUSeconds, &wall)
	o.Largest, err = query.LargestProcesses(ctx, r.db, r.during, mostProcesses)
	return err
}

// addWhole completes the report of a job that nobody declared.
func (r *runReader) addWhole(ctx context.Context) error {
	if r.out.Number != 0 {
		return nil
	}
	return addWhole(ctx, r.db, r.out)
}

// step is the step of a use; one that nobody declared is added.
func (r *runReader) step(u *query.StepUse) *Step {
	i := slices.IndexFunc(r.out.Steps, func(s Step) bool { return s.Sheet == *u.Sheet })
	if i < 0 {
		i = len(r.out.Steps)
		first, last := u.First, u.Last
		r.out.Steps = append(r.out.Steps, Step{RunStep: query.RunStep{Sheet: *u.Sheet, Started: &first, Ended: &last}})
	}
	return &r.out.Steps[i]
}

// complete adds what starts and ends tell of a step.
func (s *Step) complete(u *query.StepUse) {
	exits := "exits"
	s.Spawns, s.Failed, s.OOMs = u.Spawns, u.Failed, u.OOMs
	fill(&s.Totals, u.CPUSeconds, u.SystemCPU, u.PeakRSS, u.Read, u.Write, &exits)
}

// addSteps sets the walls of the steps, and gives the run what its steps tell where that is more.
func (r *runReader) addSteps() {
	o := r.out
	var cpu, system, group, largest *float64
	apart := true // all steps of which CPU is known have it apart
	for i := range o.Steps {
		s := &o.Steps[i]
		if s.Started != nil {
			end := r.now
			if s.Ended != nil {
				end = *s.Ended
			} else if o.Ended != nil {
				end = *o.Ended
			}
			wall := max(0, end-*s.Started)
			s.Seconds, s.Cores = &wall, perSecond(s.CPUSeconds, &wall)
		}
		cpu, group, largest = sum(cpu, s.CPUSeconds), most(group, s.GroupPeak), most(largest, s.PeakRSS)
		system, apart = sum(system, s.SystemCPU), apart && (s.CPUSeconds == nil) == (s.SystemCPU == nil)
	}
	if cpu != nil && (o.CPUSeconds == nil || *cpu > *o.CPUSeconds) {
		if !apart {
			system = nil
		}
		o.SetCPU(cpu, o.Steps[len(o.Steps)-1].CPUSource, system)
	}
	if largest != nil && (o.PeakRSS == nil || *largest > *o.PeakRSS) {
		o.PeakRSS = largest
	}
	if o.GroupPeak == nil {
		o.GroupPeak = group
	}
}

// fill sets what is not known of totals.
func fill(t *query.Totals, cpu, system, largest, read, write *float64, source *string) {
	if t.CPUSeconds == nil && cpu != nil {
		t.SetCPU(cpu, source, system)
	}
	if largest != nil && (t.PeakRSS == nil || *largest > *t.PeakRSS) {
		t.PeakRSS, t.PeakSource = largest, source
	}
	if t.Read == nil && t.Write == nil && (read != nil || write != nil) {
		t.Read, t.Write, t.IOSource = read, write, source
	}
}

func sum(a, b *float64) *float64 {
	if a == nil || b == nil {
		return most(a, b)
	}
	v := *a + *b
	return &v
}

func most(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// readSamples reads what samples tell of all processes together.
func (r *runReader) readSamples(ctx context.Context) error {
	samples, err := query.SamplesOf(ctx, r.db, r.during)
	if err != nil {
		return err
	}
	r.out.Samples, r.out.CPUs = *samples, samples.CPUs
	return nil
}

// addTogether picks the most memory at one time of the run and of its steps. Of a step no samples are summed.
func (r *runReader) addTogether(context.Context) error {
	o := r.out
	o.Together = query.TogetherOf(o.GroupPeak, o.Samples.Peak, o.PeakRSS)
	for i := range o.Steps {
		s := &o.Steps[i]
		s.Together = query.TogetherOf(s.GroupPeak, nil, s.PeakRSS)
	}
	return nil
}

// readDeaths reads how processes died. Of many it keeps those for want of memory, then those by a signal, then the first others.
func (r *runReader) readDeaths(ctx context.Context) error {
	f := query.Filter{Job: r.during.Job, Failed: true, Range: query.Range{Host: r.during.Host, Since: r.during.From, Until: r.during.To, Limit: 4000, Reverse: true}}
	var deaths []Death
	for e, err := range query.WithCauses(query.EventSeq(ctx, r.db, f)) {
		if err != nil {
			return err
		}
		if e.Fleet == r.during.Fleet && !isCompanion(&e) && r.isOf(e.PID, e.StartTicks) {
			deaths = append(deaths, Death{Event: e})
		}
	}
	slices.Reverse(deaths)
	weight := func(d *Death) int {
		switch {
		case d.OutOfMemory():
			return 0
		case d.Signal != nil || d.Type != "exit":
			return 1
		}
		return 2
	}
	slices.SortStableFunc(deaths, func(a, b Death) int { return weight(&a) - weight(&b) })
	if len(deaths) > mostDeaths {
		r.out.MoreDeaths, deaths = int64(len(deaths)-mostDeaths), deaths[:mostDeaths]
	}
	slices.SortStableFunc(deaths, func(a, b Death) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	for i := range deaths {
		if d := &deaths[i]; d.OutOfMemory() {
			var err error
			of := query.Identity{Host: d.Host, PID: d.PID, StartTicks: &d.StartTicks}
			if d.Shortage, err = query.ShortageAt(ctx, r.db, of, d.Timestamp); err != nil {
				return err
			}
		}
	}
	r.out.Deaths = append(r.out.Deaths, deaths...)
	return nil
}

// isCompanion reports whether an end is that of proctape itself, which ends as the command does that it runs.
func isCompanion(e *query.Event) bool {
	program, rest, _ := strings.Cut(e.Command, " ")
	return strings.HasSuffix(program, "proctape") && strings.HasPrefix(rest, "run ")
}

// readLeft reads what rules found of it, and which processes of it live though it has ended. Of a run that is not the newest nobody can tell whose they are.
func (r *runReader) readLeft(ctx context.Context) error {
	if err := readAnomalies(ctx, r.db, r.out, r.during, r.now, r.isOf); err != nil {
		return err
	}
	if r.out.Ended == nil || !r.out.Newest || r.out.Number == 0 {
		return nil
	}
	left, err := query.OrphansAt(ctx, r.db, r.now, query.Filter{Job: r.during.Job, Range: query.Range{Host: r.during.Host}})
	for _, o := range left {
		if r.isOf(o.Process.PID, o.Process.StartTicks) {
			r.out.Left = append(r.out.Left, o)
		}
	}
	return err
}

// readBefore reads the run before it.
func (r *runReader) readBefore(ctx context.Context) error {
	if r.before == nil || r.before.Ended == nil {
		return nil
	}
	found := r.before
	if err := query.AddSteps(ctx, r.db, found); err != nil {
		return err
	}
	uses, err := query.StepUses(ctx, r.db, query.JobTimeOf(found, &r.out.Run, r.now))
	if err != nil {
		return err
	}
	e := &Earlier{Number: found.Number, Outcome: Outcome(found), Seconds: *found.Ended - found.Started, Steps: []EarlierStep{}}
	for i := range found.Steps {
		s := &Step{RunStep: found.Steps[i]}
		for u := range uses {
			if uses[u].Sheet != nil && *uses[u].Sheet == s.Sheet {
				s.complete(&uses[u])
			}
		}
		of := EarlierStep{Sheet: s.Sheet, PeakRSS: query.TogetherOf(s.GroupPeak, nil, s.PeakRSS).Peak}
		if s.Started != nil && s.Ended != nil {
			seconds := *s.Ended - *s.Started
			of.Seconds = &seconds
		}
		e.Steps = append(e.Steps, of)
	}
	r.out.Before = e
	return nil
}

// Outcome says how a run ended, in a few words.
func Outcome(r *query.Run) string {
	switch {
	case r.Ended == nil:
		return "running"
	case r.Signal != nil:
		return "killed by " + signalName(*r.Signal)
	case r.ExitCode != nil && *r.ExitCode == 0:
		return "ok"
	case r.ExitCode != nil:
		return "exit " + strconv.FormatInt(*r.ExitCode, 10)
	}
	return "not known"
}
