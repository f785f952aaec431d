package projector

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// The checkers look at a database and say what is wrong with it, so that a test can show them one that is broken on
// purpose.

// contents are the tables that a log gives, by name, without what a database gives rows of its own: their ids, and the
// rows' order.
func contents(t testing.TB, db *sql.DB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table, query := range map[string]string{
		"snapshots":        `SELECT %s FROM snapshots x`,
		"samples":          `SELECT s.wall_ns, p.pid, p.command, p.job_id, %s FROM samples x JOIN snapshots s ON s.id = x.id >> 22 JOIN processes p ON p.id = x.process_id`,
		"process_events":   `SELECT %s FROM process_events x`,
		"process_execs":    `SELECT %s FROM process_execs x`,
		"rollups":          `SELECT %s FROM rollups x`,
		"rollup_processes": `SELECT x.id, %s FROM rollup_processes x`,
		"process_rollups":  `SELECT u.host_id, u.timestamp, x.process_id, %s FROM process_rollups x JOIN rollups u ON u.id = x.rollup_id`,
	} {
		columns := slices.DeleteFunc(rowsOf(t, db, `SELECT name FROM pragma_table_info(?)`, table), func(c string) bool {
			// The first snapshot that a log still has goes on from none that it tells of.
			return c == "id" || c == "rollup_id" || c == "snapshot_id" || c == "process_id" || c == "goes_on"
		})
		rows := rowsOf(t, db, fmt.Sprintf(query, "x."+strings.Join(columns, ", x.")))
		slices.Sort(rows)
		out[table] = rows
	}
	return out
}

// key names a snapshot, whichever database it is in.
type key struct {
	host, instance string
	seq            uint64
}

func keyOf(m *schema.Message) key { return key{m.Host, m.Instance.String(), m.Seq} }

// stored is which snapshots a database has.
func stored(t testing.TB, db *sql.DB) map[key]bool {
	t.Helper()
	out := map[key]bool{}
	rows, err := db.Query(`SELECT h.name, s.instance, s.seq FROM snapshots s JOIN hosts h ON h.id = s.host_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var k key
		if err := rows.Scan(&k.host, &k.instance, &k.seq); err != nil {
			t.Fatal(err)
		}
		out[k] = true
	}
	return out
}

// rolledUp is which snapshots a database's rollups cover, and how often.
func rolledUp(t testing.TB, db *sql.DB) map[key]int {
	t.Helper()
	out := map[key]int{}
	rows, err := db.Query(`SELECT h.name, c.value ->> 0, c.value ->> 1, c.value ->> 2 FROM rollups u JOIN hosts h ON h.id = u.host_id, json_each(u.covers) c`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var k key
		var first, last uint64
		if err := rows.Scan(&k.host, &k.instance, &first, &last); err != nil {
			t.Fatal(err)
		}
		for k.seq = first; k.seq <= last; k.seq++ {
			out[k]++
		}
	}
	return out
}

// unaccounted names snapshots that are neither in the database nor in one of its rollups, or in more than one, and
// rollups whose parts are not all there.
func unaccounted(t testing.TB, db *sql.DB, want []*schema.Message) (wrong []string) {
	t.Helper()
	have, rolled := stored(t, db), rolledUp(t, db)
	for _, m := range want {
		if k := keyOf(m); m.Kind == schema.KindSnapshot && !have[k] && rolled[k] == 0 {
			wrong = append(wrong, fmt.Sprint("lost ", k))
		} else if rolled[k] > 1 {
			wrong = append(wrong, fmt.Sprint("rolled up twice ", k))
		}
	}
	for _, query := range []string{
		`SELECT 'rollup without processes', id FROM rollups WHERE process_count > 0 AND id NOT IN (SELECT rollup_id FROM process_rollups)`,
		`SELECT 'process without rollup', rollup_id FROM process_rollups WHERE rollup_id NOT IN (SELECT id FROM rollups)`,
		`SELECT 'process without description', process_id FROM process_rollups WHERE process_id NOT IN (SELECT id FROM rollup_processes)`,
		`SELECT 'description of nothing', id FROM rollup_processes WHERE id NOT IN (SELECT process_id FROM process_rollups)`,
		`SELECT 'sample without snapshot', id >> 22 FROM samples WHERE id >> 22 NOT IN (SELECT id FROM snapshots)`,
		`SELECT 'sample without process', process_id FROM samples WHERE process_id NOT IN (SELECT id FROM processes)`,
		`SELECT 'snapshot without samples', id FROM snapshots WHERE child_count != (SELECT count(*) FROM samples WHERE id >> 22 = snapshots.id)`,
	} {
		wrong = append(wrong, rowsOf(t, db, query)...)
	}
	return wrong
}

// earlyGone names snapshots that should be in the database and are not.
func earlyGone(t testing.TB, db *sql.DB, want []*schema.Message) (gone []string) {
	t.Helper()
	have := stored(t, db)
	for _, m := range want {
		if m.Kind == schema.KindSnapshot && !have[keyOf(m)] {
			gone = append(gone, fmt.Sprint(keyOf(m)))
		}
	}
	return gone
}

// overdue names snapshots that should have gone from the database.
func overdue(t testing.TB, db *sql.DB, old []*schema.Message) (kept []string) {
	t.Helper()
	have := stored(t, db)
	for _, m := range old {
		if m.Kind == schema.KindSnapshot && have[keyOf(m)] {
			kept = append(kept, fmt.Sprint(keyOf(m)))
		}
	}
	return kept
}

// wantNone fails the test when a checker found something.
func wantNone(t testing.TB, what string, found []string) {
	t.Helper()
	if len(found) > 0 {
		t.Errorf("%s: %d, such as %q", what, len(found), found[:min(len(found), 4)])
	}
}

// wantSome is the control of a checker: of a database that is broken on purpose it must say something.
func wantSome(t testing.TB, what string, found []string) {
	t.Helper()
	if len(found) == 0 {
		t.Errorf("%s: the checker finds nothing in a database that was broken on purpose", what)
	}
}

// recordedBefore are the messages of up to a wall time.
func recordedBefore(ms []*schema.Message, wall int64) []*schema.Message {
	return slices.DeleteFunc(slices.Clone(ms), func(m *schema.Message) bool { return m.Wall >= wall })
}

func recordedSince(ms []*schema.Message, wall int64) []*schema.Message {
	return slices.DeleteFunc(slices.Clone(ms), func(m *schema.Message) bool { return m.Wall < wall })
}

// figures are count, mean, max and p95 of some values, worked out the plain way.
func figures(values []int64) string {
	if len(values) == 0 {
		return "<nil> <nil> <nil>"
	}
	sorted := slices.Sorted(slices.Values(values))
	sum := int64(0)
	for _, v := range values {
		sum += v
	}
	n := int64(len(values))
	rank := (95*n + 99) / 100 // the nearest
	return fmt.Sprint((2*sum+n)/(2*n), sorted[n-1], sorted[rank-1])
}

// minuteRows is what rollups of some snapshots must say, worked out from the messages: of each host and minute, and of
// each process in it.
func minuteRows(ms []*schema.Message) (systems, processes []string) {
	type place struct {
		host   string
		minute int64
	}
	minutes := map[place][]*schema.Message{}
	for _, m := range ms {
		if m.Kind == schema.KindSnapshot {
			at := place{m.Host, schema.MinuteOf(m.Wall)}
			minutes[at] = append(minutes[at], m)
		}
	}
	for at, list := range minutes {
		slices.SortFunc(list, func(a, b *schema.Message) int { return cmp.Compare(a.Wall, b.Wall) })
		var used, cpu, load []int64
		byProcess := map[string][]*schema.Process{}
		for _, m := range list {
			busy := int64(0)
			for _, p := range m.Snapshot.Processes.Rows() {
				busy += p.CPUPermille.Or(0)
				who := fmt.Sprint(m.BootID, " ", p.PID, " ", p.StartTicks, " ", p.PPID, " ", p.UID, " ", p.Sheet, " ", p.JobID, " ", p.Fleet, " ", p.Command)
				byProcess[who] = append(byProcess[who], &p)
			}
			cpu = append(cpu, busy)
			used = append(used, int64(m.Snapshot.MemoryTotal-m.Snapshot.MemoryAvail))
			load = append(load, m.Snapshot.Load[0])
		}
		stamp := fmt.Sprint(at.host, " ", at.minute/second)
		systems = append(systems, fmt.Sprint(stamp, " ", len(list), " ", figures(used), " ", figures(load), " ", figures(cpu)))
		for _, looks := range byProcess {
			last := looks[len(looks)-1]
			var cpu, rss []int64
			for _, p := range looks {
				if p.CPUPermille.Known {
					cpu = append(cpu, p.CPUPermille.V)
				}
				if p.RSS.Known {
					rss = append(rss, p.RSS.V)
				}
			}
			processes = append(processes, fmt.Sprint(stamp, " ", last.PID, " ", last.Command, " ", cells(last.JobID, bit(last.Fleet), last.Sheet, last.UID), " ",
				len(looks), " ", figures(cpu), " ", figures(rss), " ", cells(last.State, last.VMS, int64(last.Threads), last.OpenFDs, int64(last.CPUMillis))))
		}
	}
	slices.Sort(systems)
	slices.Sort(processes)
	return systems, processes
}

// storedMinuteRows is what a database's rollups say, in the words of minuteRows.
func storedMinuteRows(t testing.TB, db *sql.DB) (systems, processes []string) {
	t.Helper()
	systems = rowsOf(t, db, `SELECT h.name, cast(u.timestamp AS INTEGER), u.samples, memory_used_mean, memory_used_max, memory_used_p95,
		load1_mean, load1_max, load1_p95, cpu_mean, cpu_max, cpu_p95 FROM rollups u JOIN hosts h ON h.id = u.host_id`)
	processes = rowsOf(t, db, `SELECT h.name, cast(u.timestamp AS INTEGER), p.pid, p.command, p.job_id, p.fleet, p.sheet_num, p.uid, m.samples,
		m.cpu_mean, m.cpu_max, m.cpu_p95, m.rss_mean, m.rss_max, m.rss_p95, coalesce(m.state, 'S'), m.vms_kib, m.threads, m.open_fds, m.cpu_ms
		FROM process_rollups m JOIN rollups u ON u.id = m.rollup_id JOIN rollup_processes p ON p.id = m.process_id JOIN hosts h ON h.id = u.host_id`)
	slices.Sort(systems)
	slices.Sort(processes)
	return systems, processes
}

// wrongRollups says how a database's rollups differ from those of the messages, or nothing.
func wrongRollups(t testing.TB, db *sql.DB, of []*schema.Message) string {
	t.Helper()
	var got, want [2][]string
	got[0], got[1] = storedMinuteRows(t, db)
	want[0], want[1] = minuteRows(of)
	return diff(map[string][]string{"minutes": got[0], "processes": got[1]}, map[string][]string{"minutes": want[0], "processes": want[1]})
}

// only are some tables of a dump.
func only(dump map[string][]string, tables ...string) map[string][]string {
	out := map[string][]string{}
	for _, table := range tables {
		out[table] = dump[table]
	}
	return out
}

// bit is a bool as SQLite has it.
func bit(set bool) int64 {
	if set {
		return 1
	}
	return 0
}
