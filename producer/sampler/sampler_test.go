package sampler

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

func TestCPUPermille(t *testing.T) {
	const sec = time.Second
	none := schema.Opt[int64]{}
	tests := map[string]struct {
		ticks   uint64
		readAt  time.Duration
		start   uint64
		before  previousSample
		known   bool
		permill schema.Opt[int64]
	}{
		"first sight: the mean over its life":       {ticks: 500, readAt: 110 * sec, start: 100 * 100, permill: schema.Some(int64(500))},
		"first sight: older than an interval":       {ticks: 500, readAt: 111 * sec, start: 100 * 100, permill: none},
		"first sight: never ran":                    {ticks: 0, readAt: 110 * sec, start: 100 * 100, permill: schema.Some(int64(0))},
		"first sight: read when it started":         {ticks: 0, readAt: 100 * sec, start: 100 * 100, permill: none},
		"first sight: read before it started":       {ticks: 1, readAt: 99 * sec, start: 100 * 100, permill: none},
		"since the sample before":                   {ticks: 700, readAt: 110 * sec, before: previousSample{ticks: 200, readAt: 100 * sec}, known: true, permill: schema.Some(int64(500))},
		"since the sample before: two cores":        {ticks: 400, readAt: 102 * sec, before: previousSample{ticks: 0, readAt: 100 * sec}, known: true, permill: schema.Some(int64(2000))},
		"since the sample before: slept":            {ticks: 700, readAt: 110 * sec, before: previousSample{ticks: 700, readAt: 100 * sec}, known: true, permill: schema.Some(int64(0))},
		"since the sample before: rounded up":       {ticks: 1, readAt: 115 * sec, before: previousSample{readAt: 100 * sec}, known: true, permill: schema.Some(int64(1))},
		"since the sample before: more than can be": {ticks: 1 << 40, readAt: 110 * sec, before: previousSample{ticks: 200, readAt: 100 * sec}, known: true, permill: none},
		"since a sample that did not know":          {ticks: 700, readAt: 110 * sec, start: 10 * 100, before: previousSample{ticks: 200}, known: true, permill: none},
		"since the sample before: a fall is no use": {ticks: 199, readAt: 110 * sec, before: previousSample{ticks: 200, readAt: 100 * sec}, known: true, permill: none},
		"since the sample before: no time passed":   {ticks: 300, readAt: 100 * sec, before: previousSample{ticks: 200, readAt: 100 * sec}, known: true, permill: none},
		"since the sample before: time went back":   {ticks: 300, readAt: 99 * sec, before: previousSample{ticks: 200, readAt: 100 * sec}, known: true, permill: none},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := New(Config{Interval: 10 * sec})
			s.mostPermille = 10_000 * 4
			p := &procfs.Process{CPUTicks: tt.ticks, CPUKnown: true, ReadAt: tt.readAt, StartTicks: tt.start}
			if got := s.cpuPermille(p, tt.before, tt.known); got != tt.permill {
				t.Errorf("got %+v, want %+v", got, tt.permill)
			}
			p.CPUKnown = false
			if got := s.cpuPermille(p, tt.before, tt.known); got != none {
				t.Errorf("CPU unknown: got %+v, want unknown", got)
			}
		})
	}
}

// A pid that is another process's now has nothing of the one before: not its counter, not its command.
func TestSampler_PidReuseStartsAnew(t *testing.T) {
	s := unitSampler(scrub.Scrubbed)
	args := []string{"old"}
	s.convert([]procfs.Process{{PID: 7, StartTicks: 100, CPUTicks: 50, CPUKnown: true, ReadAt: 2 * time.Second, State: 'S', Args: args}})
	got := s.convert([]procfs.Process{{PID: 7, StartTicks: 250, CPUTicks: 100, CPUKnown: true, ReadAt: 4500 * time.Millisecond, State: 'S', Comm: "new"}})
	if p := got.Row(0); p.CPUPermille != schema.Some(int64(500)) || p.Command != "[new]" || p.CPUMillis != 1000 {
		t.Errorf("got %+v, want half a core, 1000 ms, command [new]", p)
	}
}

func TestSampler_DropsGoneProcesses(t *testing.T) {
	s := unitSampler(scrub.Scrubbed)
	s.convert([]procfs.Process{{PID: 7, State: 'S'}, {PID: 8, State: 'S'}})
	s.convert([]procfs.Process{{PID: 8, State: 'S'}})
	if got, want := slices.Sorted(maps.Keys(s.previous)), []int{8}; !slices.Equal(got, want) {
		t.Errorf("remembers %v, want %v", got, want)
	}
}

func TestSampler_Unknown(t *testing.T) {
	s := unitSampler(scrub.Scrubbed)
	got := s.convert([]procfs.Process{
		{PID: 1, State: 'S', ReadAt: time.Second, MemoryValues: procfs.MemoryValues{RSSKiB: 1, VMSKiB: 2}, OpenFDs: 3, FDLimit: 7, UID: 4,
			IOValues: procfs.IOValues{ReadBytes: 5 << 10, WriteBytes: 6 << 10}},
		{PID: 2, State: 'S', ReadAt: time.Second, MemoryValues: procfs.MemoryValues{RSSKiB: 1, VMSKiB: 2}, OpenFDs: 3, FDLimit: 7, UID: 4,
			IOValues:    procfs.IOValues{ReadBytes: 5 << 10, WriteBytes: 6 << 10},
			MemoryKnown: true, FDsKnown: true, FDLimitKnown: true, UIDKnown: true, IOKnown: true},
		{PID: 3, State: 'S', ReadAt: time.Second, MemoryValues: procfs.MemoryValues{RSSKiB: 1 << 63}, MemoryKnown: true},
	})
	type values struct{ rss, vms, fds, limit, uid, read, write schema.Opt[int64] }
	some := schema.Some[int64]
	want := []values{{}, {some(1), some(2), some(3), some(7), some(4), some(5), some(6)}, {vms: some(0)}}
	for i, p := range got.Rows() {
		if v := (values{p.RSS, p.VMS, p.OpenFDs, p.FDLimit, p.UID, p.ReadKiB, p.WriteKiB}); v != want[i] {
			t.Errorf("pid %d: got %+v, want %+v", p.PID, v, want[i])
		}
	}
}

// Scans share the arguments that have not changed, and so the command is not rendered again.
func TestSampler_RendersACommandOnce(t *testing.T) {
	args := []string{"prog", "--password", "x"}
	const rendered = "prog --password ***"
	tests := map[string]struct {
		before previousSample
		comm   string
		args   []string
		want   string
	}{
		"first sight":         {previousSample{}, "prog", args, rendered},
		"the same arguments":  {previousSample{args: args, comm: "prog", command: "kept"}, "prog", args, "kept"},
		"equal ones":          {previousSample{args: args, comm: "prog", command: "kept"}, "prog", slices.Clone(args), rendered},
		"others":              {previousSample{args: args, comm: "prog", command: "kept"}, "prog", []string{"prog", "-v"}, "prog -v"},
		"fewer of them":       {previousSample{args: args, comm: "prog", command: "kept"}, "prog", args[:1], "prog"},
		"the last of them":    {previousSample{args: args, comm: "prog", command: "kept"}, "prog", args[2:], "x"},
		"none any more":       {previousSample{args: args, comm: "prog", command: "kept"}, "prog", nil, "[prog]"},
		"some at last":        {previousSample{comm: "prog", command: "[prog]"}, "prog", args, rendered},
		"none still":          {previousSample{comm: "kthread", command: "kept"}, "kthread", nil, "kept"},
		"none, and empty":     {previousSample{args: args[:0], comm: "kthread", command: "kept"}, "kthread", []string{}, "kept"},
		"none, another name":  {previousSample{comm: "kworker/0:1", command: "kept"}, "kworker/0:2", nil, "[kworker/0:2]"},
		"another thread name": {previousSample{args: args, comm: "prog", command: "kept"}, "other", args, rendered},
	}
	s := unitSampler(scrub.Scrubbed)
	for name, tt := range tests {
		if got := s.renderCommand(&procfs.Process{Comm: tt.comm, Args: tt.args}, tt.before); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestSampler_RendersAChangedCommandAgain(t *testing.T) {
	s := unitSampler(scrub.Scrubbed)
	p := procfs.Process{PID: 7, State: 'S', Args: []string{"before"}}
	for _, args := range [][]string{{"before"}, {"after"}, {"after", "all"}} {
		p.Args = args
		converted := s.convert([]procfs.Process{p})
		if got, want := converted.Text(metric.Command, 0), strings.Join(args, " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCountJobs(t *testing.T) {
	of := func(job string, sheet int64) schema.Process {
		p := schema.Process{JobID: job}
		if sheet > 0 {
			p.Sheet = schema.Some(sheet)
		}
		return p
	}
	tests := map[string]struct {
		procs        []schema.Process
		jobs, sheets int
	}{
		"none":                           {nil, 0, 0},
		"processes without a job":        {[]schema.Process{of("", 0), of("", 3)}, 0, 0},
		"a job without steps":            {[]schema.Process{of("a", 0), of("a", 0)}, 1, 0},
		"one step of many processes":     {[]schema.Process{of("a", 1), of("a", 1), of("a", 1)}, 1, 1},
		"two steps of one job":           {[]schema.Process{of("a", 1), of("a", 2), of("a", 0)}, 1, 2},
		"the same number in two jobs":    {[]schema.Process{of("a", 1), of("b", 1)}, 2, 2},
		"step 0 is a step":               {[]schema.Process{{JobID: "a", Sheet: schema.Some(int64(0))}}, 1, 1},
		"some with and some without one": {[]schema.Process{of("", 0), of("a", 1), of("b", 0)}, 2, 1},
	}
	for name, tt := range tests {
		procs := schema.ProcessesOf(tt.procs...)
		if jobs, sheets := countJobs(&procs); jobs != tt.jobs || sheets != tt.sheets {
			t.Errorf("%s: got %d jobs and %d sheets, want %d and %d", name, jobs, sheets, tt.jobs, tt.sheets)
		}
	}
}

// unitSampler is a sampler that is given readings, and reads nothing itself.
func unitSampler(mode scrub.Mode) *Sampler {
	return New(Config{Scrubber: scrub.New(mode), Claims: new(jobs.Claims)})
}

// newSampler is a sampler of this machine, until the test ends.
func newSampler(t *testing.T, root string) *Sampler {
	t.Helper()
	fs := procfs.New(root)
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(Config{
		FS: fs, Options: procfs.Options{EnvKeys: []string{jobs.EnvJob, jobs.EnvSheet}},
		Scrubber: scrub.New(scrub.Scrubbed), Claims: new(jobs.Claims), Interval: time.Second, Capabilities: []schema.Capability{schema.CapProcesses},
	})
}

func sample(t testing.TB, s *Sampler, tick uint64) *schema.Message {
	t.Helper()
	l, err := s.Sample(tick, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return message(l)
}

func message(l TimedSnapshot) *schema.Message {
	return &schema.Message{
		Envelope: schema.Envelope{
			Version: schema.Version, Kind: schema.KindSnapshot, Host: "h", BootID: "b", Instance: schema.Instance{1}, Seq: 1,
			Wall: l.Wall, Boot: l.Boot,
		},
		Snapshot: l.Snapshot,
	}
}

func find(m *schema.Message, pid int) (schema.Process, bool) {
	i := slices.IndexFunc(m.Snapshot.Processes.Rows(), func(p schema.Process) bool { return p.PID == pid })
	if i < 0 {
		return schema.Process{}, false
	}
	return m.Snapshot.Processes.Row(i), true
}

// checkRoundTrip publishes m and reads it.
func checkRoundTrip(t *testing.T, m *schema.Message) {
	t.Helper()
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := schema.Decode("", encoding, payload)
	if err != nil {
		t.Fatal(err)
	}
	got.Snapshot.Processes = schema.ProcessesOf(got.Snapshot.Processes.Rows()...)
	if !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, want %+v", got, m)
	}
}

// stillZero names the counters of a process that are 0 or unknown, but for those that a process may well leave at 0.
func stillZero(p schema.Process) (names []string) {
	mayBeZero := append([]metric.ID{metric.ReadKiB, metric.WriteKiB, metric.Cancelled, metric.MajorFaults, metric.InvoluntarySwitches, metric.RunDelay}, notInProc...)
	procs := schema.ProcessesOf(p)
	for _, id := range metric.Numbers {
		if metric.Table[id].Kind == metric.Counter && !slices.Contains(mayBeZero, id) && procs.Number(id, 0).V == 0 {
			names = append(names, metric.Table[id].Name)
		}
	}
	return names
}

// notInProc are the metrics that /proc does not have: those of GPUs, and what programs in the kernel count.
var notInProc = []metric.ID{metric.GPUMemory, metric.Sent, metric.Received}

// unmeasured names the metrics that are not known of a process, but for those that /proc does not have.
func unmeasured(p schema.Process) (names []string) {
	procs := schema.ProcessesOf(p)
	for _, id := range metric.Numbers {
		if m := &metric.Table[id]; m.Measured() && !slices.Contains(notInProc, id) && !procs.Number(id, 0).Known {
			names = append(names, m.Name)
		}
	}
	return names
}

// useCPU works until the kernel counts some ticks of this process.
func useCPU(t *testing.T) {
	t.Helper()
	var used unix.Rusage
	for end := time.Now().Add(time.Minute); used.Utime.Nano()+used.Stime.Nano() < int64(50*time.Millisecond); {
		if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("this process gets no CPU")
		}
	}
}

// The control: a counter that nobody parsed is noticed.
func TestSampler_ACounterAtZeroIsNoticed(t *testing.T) {
	p := schema.Process{PID: 1, State: "S", CPUMillis: 5, MinorFaults: schema.Some[int64](0), VoluntarySwitches: schema.Some[int64](3)}
	if got := stillZero(p); !slices.Equal(got, []string{"minor_faults"}) {
		t.Errorf("got %v, want minor_faults", got)
	}
}

func TestSampler_ThisMachine(t *testing.T) {
	s := newSampler(t, "")
	useCPU(t)
	for range metric.ManyFDs { // or their limit is not read
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	before := time.Now()
	for tick := range uint64(3) {
		m := sample(t, s, tick+1)
		checkRoundTrip(t, m)
		snap := m.Snapshot
		self, ok := find(m, os.Getpid())
		switch {
		case !ok:
			t.Fatal("the sample is without this process")
		case self.PPID != os.Getppid() || self.UID != schema.Some(int64(os.Getuid())) || !self.OpenFDs.Known || self.RSS.Or(0) <= 0:
			t.Errorf("got %+v of this process", self)
		case !strings.Contains(self.Command, "test"):
			t.Errorf("got command %q, want this test's", self.Command)
		}
		for _, name := range unmeasured(self) {
			t.Errorf("metric %s of this process is not known: the sampler has to set it, in convert of producer/sampler/sampler.go", name)
		}
		for _, name := range stillZero(self) {
			t.Errorf("counter %s of this process stays at 0: it is not read or parsed in producer/procfs, or it is one that may be 0", name)
		}
		if snap.DaemonPID != os.Getpid() || snap.DaemonRSS != uint64(self.RSS.V) || snap.Tick != tick+1 || snap.Interval != int64(time.Second) {
			t.Errorf("got daemon %d of %d KiB, tick %d, interval %d", snap.DaemonPID, snap.DaemonRSS, snap.Tick, snap.Interval)
		}
		if snap.CPUs < 1 || snap.MemoryTotal == 0 || snap.MemoryAvail > snap.MemoryTotal || snap.PressureLevel == "" {
			t.Errorf("got host %+v", *snap)
		}
		if m.Wall < before.UnixNano() || m.Boot <= int64(self.StartTicks)*nsPerTick || m.Boot-int64(self.StartTicks)*nsPerTick > int64(24*time.Hour) {
			t.Errorf("got wall %d and boot %d of a process that started at tick %d", m.Wall, m.Boot, self.StartTicks)
		}
	}
}

func TestSampler_BusyAndAsleep(t *testing.T) {
	burner, sleeper := startChild(t, "burn", nil), startChild(t, "sleep", nil)
	s := newSampler(t, "")
	for name, c := range map[string]*child{"burner": burner, "sleeper": sleeper} {
		before := sampleBetween(t, s, c)
		until := time.Now().Add(testTimeout) // how much of a core it gets is others' to say as well
		for c == burner && cpuTicks(t, c) < before.ticksAfter+30 && time.Now().Before(until) {
			time.Sleep(10 * time.Millisecond)
		}
		after := sampleBetween(t, s, c)
		// What it used and how long it took are those of the reads of /proc, which lie between our own. A tick is 10 ms.
		shortest, longest := after.began.Sub(before.ended), after.ended.Sub(before.began)
		least := float64(after.ticksBefore-before.ticksAfter) * 10 / longest.Seconds()
		most := float64(after.ticksAfter-before.ticksBefore) * 10 / shortest.Seconds()
		if got := after.permille; !got.Known || float64(got.V) < least-1 || float64(got.V) > most+1 {
			t.Errorf("%s: got %+v, want %.0f to %.0f ‰", name, got, least, most)
		}
		if used := after.ticksBefore - before.ticksAfter; c == burner && used < 30 {
			t.Errorf("the burner had %d ticks only within %s", used, testTimeout)
		}
	}
}

// sampled is what a sample says of a child, and what was so before and after it.
type sampled struct {
	permille                schema.Opt[int64]
	began, ended            time.Time
	ticksBefore, ticksAfter uint64
}

func sampleBetween(t *testing.T, s *Sampler, c *child) sampled {
	t.Helper()
	b := sampled{ticksBefore: cpuTicks(t, c), began: time.Now()}
	p, ok := find(sample(t, s, 1), c.pid())
	if !ok {
		t.Fatalf("the sample is without process %d", c.pid())
	}
	b.permille, b.ended, b.ticksAfter = p.CPUPermille, time.Now(), cpuTicks(t, c)
	return b
}

// cpuTicks is the CPU time of a child as /proc/PID/stat has it, fields 14 and 15.
func cpuTicks(t *testing.T, c *child) uint64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid()))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system uint64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return user + system
}

// Whatever a process writes into its name, arguments and environment, the snapshot can be stored.
func TestSampler_OddNamesAndArguments(t *testing.T) {
	odd := startChild(t, "odd", []string{jobs.EnvJob + "=\xffjob", jobs.EnvSheet + "=1"}, "\xff\xfe\x1b[31m\x01", "a\nb\xc3", "\xed\xa0\x80")
	long := startChild(t, "odd", []string{jobs.EnvJob + "=" + strings.Repeat("j", schema.MaxName+1)}, "x", strings.Repeat("é\xff", 3000))
	fine := startChild(t, "sleep", []string{jobs.EnvJob + "=" + strings.Repeat("j", schema.MaxName), jobs.EnvSheet + "=x"})
	s := newSampler(t, "")
	m := sample(t, s, 1)
	checkRoundTrip(t, m)
	for name, want := range map[string]struct {
		pid     int
		command string // how it begins
		job     string
	}{
		"odd":  {odd.pid(), "\uFFFD\x1b[31m\x01 a\nb\uFFFD \uFFFD", ""},
		"long": {long.pid(), "x é\uFFFDé\uFFFD", ""},
		"fine": {fine.pid(), "/proc/self/exe", strings.Repeat("j", schema.MaxName)},
	} {
		p, ok := find(m, want.pid)
		if !ok || !strings.HasPrefix(p.Command, want.command) || p.JobID != want.job || p.Sheet.Known {
			t.Errorf("%s: got %+v, want command %q… of job %q and no sheet", name, p, want.command, want.job)
		}
	}
}

// junk draws text as a process may write it: no NUL, any other byte, of any length.
func junk() *rapid.Generator[string] {
	b := rapid.Custom(func(t *rapid.T) string {
		piece := rapid.SampledFrom([]string{"a", "\xff", "é", "\x80", "\n", "\x1b", "=", "/", "\xf0\x9f"}).Draw(t, "piece")
		return strings.Repeat(piece, rapid.IntRange(0, 3000).Draw(t, "times"))
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(b, 0, 4).Draw(t, "pieces"), "")
	})
}

func TestSampler_AnyTextCanBeStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := unitSampler(rapid.SampledFrom([]scrub.Mode{scrub.Full, scrub.Scrubbed, scrub.None}).Draw(t, "mode"))
		p := procfs.Process{
			PID: 7, State: 'S', Comm: junk().Draw(t, "comm"), Cgroup: junk().Draw(t, "cgroup"),
			Args: rapid.SliceOfN(junk(), 0, 3).Draw(t, "args"),
			Env:  map[string]string{jobs.EnvJob: junk().Draw(t, "job"), jobs.EnvSheet: junk().Draw(t, "sheet")},
		}
		m := message(TimedSnapshot{1, 1, &schema.Snapshot{PressureLevel: "none", Processes: s.convert([]procfs.Process{p})}})
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSampler_UnreadableProcIsAnError(t *testing.T) {
	s := newSampler(t, filepath.Join(t.TempDir(), "none"))
	if _, err := s.Sample(1, 0); err == nil || !strings.HasPrefix(err.Error(), "read the host: ") {
		t.Errorf("got %v, want that the host could not be read", err)
	}
}

func BenchmarkSampler_Convert(b *testing.B) {
	s := unitSampler(scrub.Scrubbed)
	scan := make([]procfs.Process, 1000)
	for i := range scan {
		scan[i] = procfs.Process{PID: i + 1, PPID: i, State: 'S', Args: []string{"/usr/bin/prog", "--id", fmt.Sprint(i)}}
	}
	b.ReportAllocs()
	for b.Loop() {
		s.convert(scan)
	}
}
