package projector

import (
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// jobTables are the tables in which a job has a row of its own.
var jobTables = []string{"jobs", "job_sheets", "job_pids", "job_syscalls", "job_events"}

// jobRowsOf is what the tables of jobs have of one scope, such as "nightly/alpha", without the rows' numbers.
func jobRowsOf(p *tape, scope string) (rows []string) {
	for _, table := range jobTables {
		columns := slices.DeleteFunc(p.rows(`SELECT name FROM pragma_table_info(?)`, table), func(c string) bool { return c == "id" })
		rows = append(rows, p.rows(`SELECT '`+table+`', `+strings.Join(columns, ", ")+` FROM `+table+` t WHERE `+scopedName+` = ?`, scope)...)
	}
	slices.Sort(rows)
	return rows
}

// jobOf makes a host's messages of a job, its own or the fleet's.
func jobOf(name, job string, fleet bool, n int64) []*schema.Message {
	some := schema.Some[int64]
	h := newHost(name, schema.Process{PID: int(n), JobID: job, Fleet: fleet, Sheet: some(1), CPUMillis: uint64(100 * n), RSS: some(1000 * n), CPUPermille: some(n),
		Syscalls: []schema.Syscall{{Name: "read", Calls: 1, TimeX100: uint64(n)}}})
	if fleet {
		h.restart() // another producer than that of the host's own
	}
	exit := h.events(schema.KindExit, 1, job)
	exit.Events[0].Fleet, exit.Events[0].StartTicks = fleet, uint64(100*n)
	return []*schema.Message{h.snapshot(), exit}
}

// said is what a conductor, or a host of its own jobs, says of one.
func said(name, job, status string, code int64) *schema.Message {
	some := schema.Some[int64]
	h := newHost(name)
	return h.jobs(schema.JobEvent{Type: schema.JobDeclared, JobID: job, Status: "running", TotalSheets: some(code)},
		schema.JobEvent{Type: schema.JobSheetStarted, JobID: job, Sheet: some(1)}, schema.JobEvent{Type: schema.JobSheetEnded, JobID: job, Sheet: some(1), ExitCode: some(code)},
		schema.JobEvent{Type: schema.JobEnded, JobID: job, Status: status, ExitCode: some(code)})
}

// Whatever another host, or the fleet's conductor, says of a job of the same name: figures, status and steps of each stay
// what they are alone. The control is a host that speaks in the other's name, as all did when the name was the key.
func TestFold_JobsOfHosts(t *testing.T) {
	alpha := append(jobOf("alpha", "nightly", false, 5), said("alpha", "nightly", "well", 0))
	inFleet := jobOf("alpha", "nightly", true, 7)
	conductor := said(schema.Fleet, "nightly", "fleet is well", 1)
	beta := append(jobOf("beta", "nightly", false, 9), said("beta", "nightly", "failed", 9))
	betaInFleet := jobOf("beta", "nightly", true, 11)
	fold := func(messages ...[]*schema.Message) *tape {
		p, l := newTape(t, -1), newLog()
		for _, ms := range messages {
			p.fold(l.publishAll(ms...)...)
		}
		return p
	}
	all := fold(beta, alpha, []*schema.Message{conductor}, betaInFleet)
	for scope, alone := range map[string]*tape{"nightly/alpha": fold(alpha), "nightly/beta": fold(beta),
		"nightly/fleet/beta": fold(betaInFleet), "nightly/fleet/_": fold([]*schema.Message{conductor})} {
		got, want := jobRowsOf(all, scope), jobRowsOf(alone, scope)
		if len(want) < 3 || !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant what it is alone\n%s", scope, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	all.wantRows(`SELECT status, exit_code FROM jobs WHERE job_id = 'nightly' AND status IS NOT NULL ORDER BY status`, "failed 9", "fleet is well 1", "well 0")
	shared := said("alpha", "nightly", "failed", 9)
	shared.Instance[15]++ // another producer
	if slices.Equal(jobRowsOf(fold(alpha, []*schema.Message{shared}), "nightly/alpha"), jobRowsOf(all, "nightly/alpha")) {
		t.Error("control: a host that speaks in another's name is not noticed")
	}
	if slices.Equal(jobRowsOf(fold(alpha, inFleet), "nightly/fleet/alpha"), nil) {
		t.Error("a host's part of the fleet's job has no row")
	}
}

// However the streams interleave, the rows are the same: whose a job is comes with each message.
func TestFold_ScopesInAnyInterleaving(t *testing.T) {
	told := story{}.tell(seeded(7), 120)
	var streams [2][]*received
	for _, d := range told {
		streams[map[bool]int{true: 0, false: 1}[d.Stream == schema.StreamSnapshots]] = append(streams[map[bool]int{true: 0, false: 1}[d.Stream == schema.StreamSnapshots]], d)
	}
	orders := map[string][]*received{"as it was told": told, "snapshots first": slices.Concat(streams[0], streams[1]), "events first": slices.Concat(streams[1], streams[0])}
	rows := func(order []*received) map[string][]string {
		p := newTape(t, -1)
		p.fold(order...)
		return only(p.dump(), append([]string{"processes", "samples", "process_events", "process_execs"}, jobTables...)...)
	}
	want := rows(told)
	if n := len(want["jobs"]); n < 8 {
		t.Errorf("got %d jobs: this shows little", n)
	}
	for name, order := range orders {
		if d := diff(rows(order), want); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
	if diff(rows(told[:len(told)-5]), want) == "" {
		t.Error("control: five messages less, and the rows are equal")
	}
}

// Nothing but job events, runs and anomalies is the fleet's: a snapshot under its name goes into quarantine.
func TestFold_FleetHasNoHost(t *testing.T) {
	if _, _, err := schema.Encode(nil, newHost(schema.Fleet).snapshot()); err == nil || !strings.Contains(err.Error(), "only job events, runs and anomalies are the fleet's") {
		t.Errorf("got %v", err)
	}
}
