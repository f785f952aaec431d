package fold

import (
	"strings"
	"time"

	"github.com/proctape/proctape/projector/store"
	"github.com/proctape/proctape/schema"
)

// minuteCells implements [minutes].
type minuteCells struct{}

// event implements [minutes].
func (minuteCells) event(to place, kind schema.Kind, e *schema.Event) {
	switch kind {
	case schema.KindSpawn:
		addLife(to, e, store.LifeFigures{LifeCounts: store.LifeCounts{Starts: 1}}, 0)
	case schema.KindExit:
		addLife(to, e, store.LifeFigures{LifeCounts: store.LifeCounts{Ends: 1, Deaths: deaths(e)}, CPUMillis: restCPU(e),
			Largest: e.PeakRSS, Longest: e.Lifetime}, e.CPUMillis.Or(0))
	}
}

// deaths is how many deaths by a signal an exit is.
func deaths(e *schema.Event) int64 {
	if e.Signal.Known {
		return 1
	}
	return 0
}

// addLife adds figures of an event to the minutes of its host, step and program; whole is the CPU of the whole life, in milliseconds.
func addLife(to place, e *schema.Event, add store.LifeFigures, whole int64) {
	at := store.HostMinute{HostID: to.hostID, Minute: schema.MinuteOf(e.Wall)}
	step := store.StepMinute{HostMinute: at, Job: schema.JobKey{ID: e.JobID, Fleet: e.Fleet}, Sheet: e.Sheet.Or(-1)}
	counts := store.Entry(to.batch.LifeMinutes, at)
	counts.Starts, counts.Ends, counts.Deaths = counts.Starts+add.Starts, counts.Ends+add.Ends, counts.Deaths+add.Deaths
	store.Entry(to.batch.StepMinutes, step).Add(&add)
	add.CPUMillis = whole
	store.Entry(to.batch.ProgramMinutes, store.ProgramMinute{StepMinute: step, Program: program(e.Command)}).Add(&add)
}

// recountMinute adds to the minutes what is known of an exit now and was not before. It is of the job that e names, and of the minute
// in which it counts.
func recountMinute(to place, e *schema.Event, was, now *store.ToldEvent) {
	in := *e
	in.Wall, in.Command = int64(was.At)*int64(time.Second), was.Command
	addLife(to, &in, store.LifeFigures{LifeCounts: store.LifeCounts{Deaths: deaths(&now.Event) - deaths(&was.Event)},
		CPUMillis: restCPU(&now.Event) - restCPU(&was.Event), Largest: now.PeakRSS, Longest: now.Lifetime}, now.CPUMillis.Or(0)-was.CPUMillis.Or(0))
}

// programLength is how much of a program's name minutes keep, in bytes.
const programLength = 64

// program is the name of a command's program, without its folder.
func program(command string) string {
	name, _, _ := strings.Cut(command, " ")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if len(name) > programLength {
		name = strings.ToValidUTF8(name[:programLength], "")
	}
	return name
}

// snapshot implements [minutes]: it adds to the minute of the host, and of the steps that its processes are of. A process of which the rate
// is not known began so long before that what it has used is not of this minute.
func (minuteCells) snapshot(to place, m *schema.Message, o *observed) {
	at := store.HostMinute{HostID: to.hostID, Minute: schema.MinuteOf(m.Wall)}
	f, busy, known := store.Entry(to.batch.HostMinutes, at), int64(0), false
	for i := range o.seen {
		p := &o.seen[i]
		if !p.cpu.Known {
			continue
		}
		known = true
		busy = schema.AddSaturated(busy, p.cpu.V)
		if used := o.usedCPU[i]; used > 0 {
			step := store.StepMinute{HostMinute: at, Job: p.job, Sheet: p.sheet.Or(-1)}
			to.batch.StepCPU[step] = schema.AddSaturated(to.batch.StepCPU[step], used)
		}
	}
	f.Samples++
	if known {
		f.CPU.Add(busy)
	}
	s := m.Snapshot
	if s.HostValues.KnowsMemoryUsed() {
		f.Memory.Add(int64(s.MemoryTotal) - int64(s.MemoryAvail))
	}
	if s.HostValues.Knows(schema.HostMemoryTotal) {
		schema.Raise(&f.MemoryTotal, schema.Some(int64(s.MemoryTotal)))
	}
}
