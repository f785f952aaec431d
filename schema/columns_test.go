package schema

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema/metric"
)

// sameRows is equal for messages of which one may lack columns that the other knows nothing in.
func sameRows(a, b *Message) bool {
	x, y := *a.Snapshot, *b.Snapshot
	ok := reflect.DeepEqual(x.Processes.Rows(), y.Processes.Rows())
	x.Processes, y.Processes = Processes{}, Processes{}
	return ok && equal(&Message{Envelope: a.Envelope, Snapshot: &x}, &Message{Envelope: b.Envelope, Snapshot: &y})
}

// withColumns is the example of a snapshot whose processes' columns were changed: number 0 is their count.
func withColumns(t *testing.T, how func(columns []any) []any) []byte {
	t.Helper()
	fields := generic(t, encoded(t, Msgpack, exampleOf(t, "snapshot"))).([]any)
	body := fields[10].([]any)
	body[18] = how(body[18].([]any))
	return marshal(t, fields)
}

// A column that a producer did not write is unknown of all processes, never 0; one that a process cannot be without is
// an error that names it.
func TestColumns_Missing(t *testing.T) {
	for id := range metric.Count {
		m := &metric.Table[id]
		nothing := func(columns []any) []any { columns[1+id] = nil; return columns }
		cut := func(columns []any) []any { return columns[:1+id] }
		for name, how := range map[string]func([]any) []any{"nil": nothing, "not there": cut} {
			t.Run(m.Name+" is "+name, func(t *testing.T) {
				got, err := Msgpack.Decode(withColumns(t, how))
				if !m.MayBeUnknown() {
					if err == nil || !strings.Contains(err.Error(), "column "+m.Name+": it is missing") {
						t.Errorf("got error %v, want it to name the column", err)
					}
					return
				}
				if name == "not there" && slices.ContainsFunc(metric.Table[id:], func(m metric.Metric) bool { return !m.MayBeUnknown() }) {
					if err == nil { // the columns behind it are missing too
						t.Error("got no error")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for row := range got.Snapshot.Processes.Len() {
					if v := got.Snapshot.Processes.Number(id, row); v.Known {
						t.Errorf("process %d: got %d, want unknown", row, v.V)
					}
				}
				want := exampleOf(t, "snapshot")
				rows := want.Snapshot.Processes.Rows()
				for i := range rows {
					for later := id; later < metric.Count; later++ {
						if later == id || name == "not there" {
							rows[i].SetNumber(later, optNumber(unknown))
						}
					}
				}
				want.Snapshot.Processes = ProcessesOf(rows...)
				if !sameRows(got, want) {
					t.Errorf("got\n%+v, want\n%+v", got.Snapshot.Processes.Rows(), rows)
				}
				if again, err := Msgpack.Decode(encoded(t, Msgpack, got)); err != nil || !sameRows(again, want) {
					t.Errorf("encoded again: got error %v or other processes", err)
				}
			})
		}
	}
}

// Version 2.0 had the columns up to write_kib. A message of then must be readable for ever, so what is appended may be
// missing.
func TestColumns_AppendedMayBeUnknown(t *testing.T) {
	for id := metric.WriteKiB + 1; id < metric.Count; id++ {
		if m := &metric.Table[id]; !m.MayBeUnknown() {
			t.Errorf("column %s: take its Go type out of schema/metric/table.go: a message of before does not have it", m.Name)
		}
	}
}

// Columns of a later version are passed over, 64 of them.
func TestColumns_Surplus(t *testing.T) {
	for name, surplus := range map[string]any{"bin": []byte{1, 2, 3}, "nil": nil, "array": []any{1, []byte{0}, []byte{0, 0}}, "integer": 7} {
		for _, n := range []int{1, 64, 65} {
			got, err := Msgpack.Decode(withColumns(t, func(columns []any) []any {
				return append(columns, slices.Repeat([]any{surplus}, n)...)
			}))
			switch {
			case n > 64 && (err == nil || !strings.Contains(err.Error(), "elements, the limit is")):
				t.Errorf("%d times %s: got error %v, want too many", n, name, err)
			case n <= 64 && (err != nil || !equal(got, exampleOf(t, "snapshot"))):
				t.Errorf("%d times %s: got error %v or another snapshot", n, name, err)
			}
		}
	}
	for name, foreign := range map[string]any{"map": map[string]int{"a": 1}, "deep": []any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{[]any{}}}}}}}}}} {
		if _, err := Msgpack.Decode(withColumns(t, func(columns []any) []any { return append(columns, foreign) })); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestColumns_Refuses(t *testing.T) {
	table := func(count any, texts, indices any) func([]any) []any {
		return func(columns []any) []any {
			columns[1+metric.Command] = []any{count, texts, indices}
			return columns
		}
	}
	set := func(id metric.ID, v any) func([]any) []any {
		return func(columns []any) []any { columns[1+id] = v; return columns }
	}
	tests := []struct {
		name string
		how  func([]any) []any
		want string
	}{
		{"a count of pids that is too large", func(c []any) []any { c[0] = 4; return c }, "column pid: "},
		{"more processes than may be", func(c []any) []any { c[0] = MaxProcesses + 1; return c }, "column pid: more than 65536 processes"},
		{"a count beyond 63 bits", func(c []any) []any { c[0] = uint64(1) << 63; return c }, "column pid: more than 65536 processes"},
		{"a negative count", func(c []any) []any { c[0] = -1; return c }, "a negative number"},
		{"pids in plain", set(metric.PID, []byte{1, 1, 2, 3}), "column pid: mode 1, want 3"},
		{"pid 0", set(metric.PID, []byte{3, 0, 1, 1}), "pid 0 after pid 0"},
		{"a pid beyond the largest", set(metric.PID, []byte{3, 1, 1, 0x80, 0x80, 0x80, 0x02}), "pid 4194"},
		{"a string for a column", set(metric.RSS, "x"), "0xa1 is no byte string"},
		{"a list for a column of numbers", set(metric.RSS, []any{1}), "0x91 is no byte string"},
		{"an empty column", set(metric.RSS, []byte{}), "column rss_kib: it is empty"},
		{"a byte too many", set(metric.RSS, []byte{0, 1, 1}), "column rss_kib: 1 bytes follow"},
		{"a state that is no letter", set(metric.State, []byte{0, 300 - 256}), "state"},
		{"threads beyond a machine's", set(metric.Threads, []byte{0, 0xff, 0xff, 0xff, 0x7f}), "threads 268435455 is more than a machine can have"},
		{"a text column of bytes", set(metric.Command, []byte{0, 0}), "is no array"},
		{"no indices", table(1, []byte{0}, nil), "column command: it is missing"},
		{"no table", table(1, nil, []byte{0, 0}), "column command: 1 texts in 0 bytes"},
		{"more texts than processes", table(4, []byte{0, 0, 0, 0}, []byte{0, 0}), "column command: 4 texts of 3 processes"},
		{"an index beyond the table", table(1, []byte{0}, []byte{0, 1}), "column command: text 1 of 1"},
		{"no text for an index", table(0, []byte{}, []byte{0, 0}), "column command: text 0 of 0"},
		{"a NUL", table(1, []byte{1, 0}, []byte{0, 0}), "column command: a text holds a NUL"},
		{"no UTF-8", table(1, []byte{1, 0xff}, []byte{0, 0}), "column command: its texts are not UTF-8"},
		{"a text of no process that is no text", table(2, []byte{1, 1, 'a', 0xff}, []byte{0, 0}), "column command: its texts are not UTF-8"},
		{"a long text", table(1, append([]byte{0x84, 0x20}, make([]byte, 4100)...), []byte{0, 0}), "column command: text of 4100 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := Msgpack.Decode(withColumns(t, test.how))
			if m != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want it to say %q", err, test.want)
			}
		})
	}
}

// Texts are checked where the table is made, which has each once, and nowhere else: a validation before that looks at none.
func TestColumns_TextsAreCheckedOnce(t *testing.T) {
	m := exampleOf(t, "snapshot")
	change(1, func(p *Process) { p.Command = "a\x00b" })(m)
	if err := m.validate(numbersOnly); err != nil {
		t.Errorf("before it writes, the encoder looks at texts: %v", err)
	}
	if _, err := Msgpack.Append(nil, m); err == nil || !strings.Contains(err.Error(), `command "a\x00b" holds a NUL`) {
		t.Errorf("encoded: got error %v, want it to name the text", err)
	}
	w := takeWriter()
	defer w.release()
	if got := w.texts.Collect(slices.Repeat([]string{"x", "y"}, 5000)); len(got) != 2 {
		t.Errorf("%d texts are checked of 10 000 that are two", len(got))
	}
	w.texts.Clear()
	if _, err := Msgpack.Append(nil, exampleOf(t, "snapshot")); err != nil {
		t.Errorf("the next message: %v", err)
	}
}

// A column that is unknown of all, 0 of all, and known of one: each reads as it was written.
func TestColumns_UnknownIsNotZero(t *testing.T) {
	for _, id := range metric.Numbers {
		if !metric.Table[id].MayBeUnknown() {
			continue
		}
		for _, values := range [][]int64{{unknown, unknown, unknown}, {0, 0, 0}, {0, unknown, 0}, {unknown, 4, 0}} {
			m := exampleOf(t, "snapshot")
			rows := m.Snapshot.Processes.Rows()
			for i := range rows {
				rows[i].SetNumber(id, optNumber(values[i]))
			}
			m.Snapshot.Processes = ProcessesOf(rows...)
			for name, codec := range codecs {
				got, err := codec.Decode(encoded(t, codec, m))
				if err != nil || !sameRows(got, m) {
					t.Errorf("%s in %s, %v: got error %v or others", metric.Table[id].Name, name, values, err)
				}
			}
		}
	}
}

// 65 536 processes are written and read; one more is refused by both sides.
func TestColumns_ManyRows(t *testing.T) {
	m := &Message{Envelope: envelope(KindSnapshot, 1), Snapshot: &Snapshot{}}
	for i := range MaxProcesses {
		m.Snapshot.Processes.Append(&Process{PID: i*60 + 1, State: "S", RSS: Some(int64(i)), Command: []string{"a", "b", ""}[i%3]})
	}
	got, err := Msgpack.Decode(encoded(t, Msgpack, m))
	if err != nil || !equal(got, m) {
		t.Errorf("got error %v or another message", err)
	}
	m.Snapshot.Processes.Append(&Process{PID: 1<<22 - 1, State: "S"})
	if _, err := Msgpack.Append(nil, m); err == nil || !strings.Contains(err.Error(), "65537 processes, the limit is 65536") {
		t.Errorf("one more: got error %v", err)
	}
}

// A message that was let go of has no processes, and what it gave out stays what it was. The next is decoded into its memory and
// holds nothing of it, whichever of the two is larger. The control: numbers that were kept all the same are overwritten.
func TestRelease(t *testing.T) {
	want := map[int][]Process{}
	payloads := map[int][]byte{}
	for _, n := range []int{3, 200, 50} {
		m := hostSnapshot(n)
		want[n], payloads[n] = m.Snapshot.Processes.Rows(), encoded(t, Msgpack, m)
	}
	overwritten := false
	for i := range 1000 {
		n := []int{3, 200, 50}[i%3]
		m, err := Msgpack.Decode(payloads[n])
		if err != nil {
			t.Fatal(err)
		}
		rows, kept := m.Snapshot.Processes.Rows(), m.Snapshot.Processes.numbers[metric.PID]
		before := slices.Clone(kept)
		m.Release()
		m.Release() // which changes nothing
		if got := m.Snapshot.Processes.Len(); got != 0 {
			t.Fatalf("%d processes after the release", got)
		}
		if _, err := Msgpack.Decode(payloads[50]); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(rows, want[n]) {
			t.Fatalf("round %d: the rows of %d processes differ", i, n)
		}
		overwritten = overwritten || !slices.Equal(kept, before)
	}
	if !overwritten {
		t.Error("no memory was used again in 1000 rounds")
	}
}

// Who needs some columns is not told what is wrong with another, and gets what all who read everything get of his own. The control
// reads everything.
func TestColumns_PassedOver(t *testing.T) {
	broken := withColumns(t, func(columns []any) []any {
		columns[1+metric.RSS], columns[1+metric.Command] = []byte{0xff, 1}, []any{uint64(1), []byte{9}, []byte{0xff}}
		return columns
	})
	subject := Subject(exampleOf(t, "snapshot").Host, KindSnapshot)
	got, err := DecodeColumns(subject, TypeMsgpack, "", broken, ColumnsOf(metric.JobID, metric.State))
	if err != nil {
		t.Fatal(err)
	}
	want := exampleOf(t, "snapshot").Snapshot
	if got.Snapshot.Processes.Len() != want.Processes.Len() || got.Snapshot.CPUs != want.CPUs {
		t.Fatalf("got %d processes and %d processors", got.Snapshot.Processes.Len(), got.Snapshot.CPUs)
	}
	for row := range want.Processes.Len() {
		a, b := got.Snapshot.Processes.Row(row), want.Processes.Row(row)
		if a.PID != b.PID || a.JobID != b.JobID || a.State != b.State || a.RSS.Known || a.Command != "" || a.Threads != 0 {
			t.Errorf("process %d: got %+v of %+v", row, a, b)
		}
	}
	if _, err := DecodeOf(subject, TypeMsgpack, "", broken); err == nil {
		t.Error("all of it can be read")
	}
}

// Processes come one after another as they do all at once, from columns of each form: none has what the one before it in the same
// memory had. A reader may stop at any.
func TestProcesses_Each(t *testing.T) {
	for _, n := range []int{0, 1, rowsAtOnce - 1, rowsAtOnce, rowsAtOnce + 1, 3*rowsAtOnce + 5} {
		m := hostSnapshot(n)
		ps := &m.Snapshot.Processes
		for row := range n {
			if row%3 == 0 {
				ps.numbers[metric.RSS][row] = unknown
			}
			if row%5 == 0 {
				ps.syscalls = map[int][]Syscall{row: {{Name: "read", Calls: 1}}}
			}
		}
		payload, err := Msgpack.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := Msgpack.Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, ps := range []*Processes{ps, &decoded.Snapshot.Processes} {
			for _, most := range []int{0, n / 2, n} {
				var got []Process
				for p := range ps.Each() {
					if len(got) == most {
						break
					}
					got = append(got, *p)
				}
				if want := ps.Rows()[:most]; !slices.EqualFunc(got, want, func(a, b Process) bool { return reflect.DeepEqual(a, b) }) {
					t.Errorf("%d of %d: got\n%+v, want\n%+v", most, n, got, want)
				}
			}
		}
	}
}
