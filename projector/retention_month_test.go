package projector

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/schema"
)

// long is a simulated time in which a few hosts record, and a pass is made every hour.
type long struct {
	policy    schema.Policy
	hours     int
	every     int64 // between snapshots
	hosts     int
	processes int
}

// sizes are series of how large things are, by name.
type sizes map[string][]int64

// In the long run nothing grows: neither a table, nor the file, nor the log.
func TestRetention_LevelsOff(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long campaign, which make test runs")
	}
	l := long{schema.Policy{FullResolution: 2 * time.Hour, Downsampled: 4 * time.Hour, Events: 8 * time.Hour}, 36, 5 * minute, 2, 3}
	if soak {
		l = long{schema.Policy{FullResolution: 2 * time.Hour, Downsampled: 24 * time.Hour, Events: 72 * time.Hour}, 30 * 24, 20 * second, 3, 12}
	}
	series := l.run(t)
	if path := os.Getenv("PROCTAPE_SOAK_CSV"); path != "" {
		if err := series.save(path); err != nil {
			t.Fatal(err)
		}
	}
	warm := int(max(l.policy.FullResolution, l.policy.Downsampled, l.policy.Events)/time.Hour) + 2
	for name, values := range series {
		if slices.Max(values) == 0 && name != "gaps" && name != "messages of "+schema.StreamHistory { // no run is declared in it
			t.Errorf("%s stays empty: the test shows nothing of it", name)
		}
		if s := grows(values[warm:]); s != "" && name != sentSoFar {
			t.Errorf("%s: %s", name, s)
		}
	}
	if grows(series[sentSoFar][warm:]) == "" {
		t.Error("the checker does not see that what was ever sent grows")
	}
}

// sentSoFar is the control: a series that grows, slowly in the end.
const sentSoFar = "sent so far"

// grows says that a series was clearly higher in its second half than in its first, or nothing.
func grows(values []int64) string {
	half := len(values) / 2
	before, after := slices.Max(values[:half]), slices.Max(values[half:])
	if after > before+before/8+8 {
		return fmt.Sprintf("at most %d in the first half, and %d in the second", before, after)
	}
	return ""
}

func (l long) run(t *testing.T) sizes {
	w := newWorld(t)
	w.set(func(r *retention.Reading) { r.Wall = time.Now().UnixNano() }) // the server's own time is in the gaps
	var hosts []*simHost
	for i := range l.hosts {
		hosts = append(hosts, w.host(fmt.Sprint("host-", i)))
	}
	d := w.open("live", retention.Settings{Policy: l.policy})
	series := sizes{}
	for n := range l.hours {
		l.hour(w, n, hosts)
		d.settle()
		d.retain()
		d.measure(series)
		series[sentSoFar] = append(series[sentSoFar], int64(len(w.sent)))
	}
	return series
}

// hour is what the hosts do in an hour: they live, in jobs that are others every hour; now and then a recorder starts
// anew, or something comes that cannot be read.
func (l long) hour(w *world, n int, hosts []*simHost) {
	w.t.Helper()
	job := fmt.Sprint("job-", n)
	for i, h := range hosts {
		if (n+i)%12 == 11 {
			h.restart()
		}
		w.publish(h.jobs(declared(job)), h.events(schema.KindSpawn, 4, job, ""), h.execs(3, job, ""), h.events(schema.KindExit, 4, job, ""))
	}
	w.run(hour, l.every, func(h *simHost) {
		for pid := 1; pid <= l.processes; pid++ {
			p := h.procs[pid]
			if p == nil || int(h.tick)%(7*pid) == 0 { // some live longer than others
				p = h.start(schema.Process{PID: pid, PPID: 1, JobID: job, Sheet: schema.Some(int64(pid)), StartTicks: h.tick + uint64(h.boot/1e7)})
			}
			p.CPUMillis += 10
			p.CPUPermille, p.RSS = schema.Some(int64(h.tick%1000)), schema.Some(int64(pid)*1000)
		}
	}, hosts...)
	bad := nats.NewMsg(schema.Subject(hosts[0].name, schema.KindSnapshot))
	bad.Data = fmt.Append(nil, "spoilt ", n)
	if _, err := w.js.PublishMsg(w.t.Context(), bad); err != nil {
		w.t.Fatal(err)
	}
}

// measured are the tables that must not grow with time. Boots and hosts do, with what there is of them.
var measured = []string{"producers", "snapshots", "samples", "processes", "process_events", "process_execs", "job_events", "jobs", "job_sheets",
	"job_pids", "gaps", "quarantine", "rollups", "rollup_processes", "process_rollups", "retention_hosts", "retention_passes"}

func (d *kept) measure(series sizes) {
	d.w.t.Helper()
	add := func(name string, n int64) { series[name] = append(series[name], n) }
	for _, table := range measured {
		if table != "retention_passes" { // which has its own end, at a thousand
			add(table, d.count(`SELECT count(*) FROM `+table))
		}
	}
	used, err := d.pages()
	if err != nil {
		d.w.t.Fatal(err)
	}
	add("bytes used of the database", used)
	for _, stream := range schema.DataStreams {
		add("messages of "+stream, d.w.messages(stream))
	}
}

// save writes a row for each hour.
func (s sizes) save(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := csv.NewWriter(f)
	var names []string
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	out.Write(append([]string{"hour"}, names...))
	for i := range s[sentSoFar] {
		row := []string{strconv.Itoa(i)}
		for _, name := range names {
			row = append(row, strconv.FormatInt(s[name][i], 10))
		}
		out.Write(row)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
