package schema

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema/metric"
)

const wireDocument = "../docs/wire.md"

// wireExample is the message with which docs/wire.md begins.
const wireExample = `{"v": 2, "kind": "event.exit", "host": "build-07", "boot_id": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
 "instance": "0102030405060708090a0b0c0d0e0f10", "seq": 1, "produced": 1,
 "wall_ns": 1795400123456789012, "boot_ns": 86400000000123,
 "events": [{"wall_ns": 1795400123400000000, "boot_ns": 86400000000100, "pid": 4321, "start_ticks": 8640000,
             "command": "cc1 -O2 main.c", "exit_code": 1, "cpu_ms": 830, "source": "my-producer"}]}`

func TestWireDocument_Example(t *testing.T) {
	m, err := Decode("", "", []byte(wireExample))
	if err != nil {
		t.Fatal(err)
	}
	if subject := Subject(m.Host, m.Kind); subject != "proctape.v1.build-07.event.exit" || m.ID() != "0102030405060708090a0b0c0d0e0f10.event.exit.1" {
		t.Errorf("got subject %s and id %s: docs/wire.md says others", subject, m.ID())
	}
}

// docs/wire.md is made from the types, their comments, and the table of metrics.
func TestWireDocument(t *testing.T) {
	want := writeWireDocument(t)
	if *update {
		if err := os.WriteFile(wireDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(wireDocument); err != nil || string(got) != want {
		t.Errorf("docs/wire.md is not what the types of schema say (%v). Write it anew: go test ./schema -run TestWireDocument -update", err)
	}
}

func writeWireDocument(t *testing.T) string {
	var b strings.Builder
	b.WriteString("<!-- Written by go test ./schema -run TestWireDocument -update. Do not edit it. -->\n" + wireHead)
	b.WriteString("\n<!-- not run: a message, which any client publishes -->\n```json\n" + wireExample + "\n```\n" + wireJSON)
	structs := fieldsOfStructs(t)
	for _, typ := range []reflect.Type{reflect.TypeFor[Envelope](), reflect.TypeFor[Drop](), reflect.TypeFor[End](), reflect.TypeFor[Reached](), reflect.TypeFor[Snapshot](), reflect.TypeFor[Pressure](),
		reflect.TypeFor[JobProgress](), reflect.TypeFor[GPU](), reflect.TypeFor[Process](), reflect.TypeFor[Syscall](), reflect.TypeFor[Event](),
		reflect.TypeFor[Exec](), reflect.TypeFor[Gap](), reflect.TypeFor[JobEvent](), reflect.TypeFor[Totals](), reflect.TypeFor[RunRecord](), reflect.TypeFor[RunStep](), reflect.TypeFor[Anomaly](), reflect.TypeFor[AnomalySubject](), reflect.TypeFor[AnomalyValue](), reflect.TypeFor[AnomalyLabel](), reflect.TypeFor[Rollup](), reflect.TypeFor[Cover](),
		reflect.TypeFor[Spread](), reflect.TypeFor[ProcessRollup]()} {
		fmt.Fprintf(&b, "\n### %s\n\n| key | type | meaning |\n|---|---|---|\n", typ.Name())
		for field := range typ.Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if structs[typ.Name()+"."+field.Name] == "" {
				t.Errorf("%s.%s has no comment, which docs/wire.md would have", typ.Name(), field.Name)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, jsonType(field.Type), structs[typ.Name()+"."+field.Name])
		}
	}
	b.WriteString(wireColumns)
	for id := range metric.Count {
		m := &metric.Table[id]
		unknown := "–"
		if m.MayBeUnknown() {
			unknown = "yes"
		}
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s | %d |\n", id, m.Name, [...]string{metric.Identity: "number", metric.Text: "text",
			metric.Gauge: "number", metric.Counter: "number", metric.Letter: "number: the letter's code", metric.Flag: "true or false"}[m.Kind], unknown, m.Mode)
	}
	b.WriteString(wireTail)
	return b.String()
}

// jsonType is what a field is in JSON.
func jsonType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Opt[int64]]():
		return "integer or null"
	case t == reflect.TypeFor[Instance]() || t == reflect.TypeFor[RunID]():
		return "string of 32 hexadecimal digits"
	case t == reflect.TypeFor[Processes]():
		return "list of Process"
	case t.Kind() == reflect.Pointer:
		return t.Elem().Name() + " or absent"
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		return "list of " + jsonType(t.Elem())
	case t.Kind() == reflect.Struct:
		return t.Name()
	case t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "integer"
}

// fieldsOfStructs are the comments of the fields of this package's types, by Type.Field.
func fieldsOfStructs(t *testing.T) map[string]string {
	t.Helper()
	comments := map[string]string{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, name := range field.Names {
						comments[spec.Name.Name+"."+name.Name] = oneLine(field.Doc.Text() + " " + field.Comment.Text())
					}
				}
			}
			return false
		})
	}
	return comments
}

func oneLine(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}

const wireHead = `# What is on the wire

Every message of the log is one JSON object or one MessagePack array. proctape writes MessagePack; a producer in any other
language may send JSON. Both say the same. This page is enough to write a producer, or a reader of the log.

## A message

Publish this to the subject ` + "`proctape.v1.build-07.event.exit`" + ` with the header ` + "`Nats-Msg-Id: 0102030405060708090a0b0c0d0e0f10.event.exit.1`" + `:
`

const wireJSON = `
- The **subject** is ` + "`proctape.v1.<host>.<kind>`" + `. Host and kind of the message must be the same.
- The **instance** is 128 random bits of one life of the producer. Numbers (` + "`seq`" + `) count per instance and kind from 1; a message of
  several events takes as many numbers, and the next begins behind them. A number that does not come is a gap.
- **Nats-Msg-Id** is instance, kind and number, with points. A message that comes twice is folded once.
- ` + "`produced`" + ` counts the items of all kinds that the instance has made. ` + "`Proctape-Items`" + ` is a header with the number of items when it
  is not 1. ` + "`acked`" + ` counts those that the log had acknowledged by then.
- ` + "`ended`" + ` tells what earlier lives of the host's producers had reached. Of each kind that the message's stream keeps, numbers up to
  that one which have not come are a gap. Tell it until the log has acknowledged such a message of the stream.
- Without a **Content-Type** (` + "`application/json`, `application/msgpack`" + `) the first byte tells: ` + "`{`" + ` is JSON.
- What is unknown is null, or left out. It is never 0.
- A message that is wrong is set aside whole (` + "`proctape quarantine list`" + ` says why). JSON may have 1 MiB, a message 16 MiB.

The body is one of ` + "`snapshot`, `events`, `execs`, `gaps`, `jobs`, `rollup`, `run`" + `, as the kind wants it.

## Fields

In MessagePack each of these records is an array of its values in this order, the body behind ` + "`dropped`" + ` in the envelope. Two are not:
processes of a snapshot are columns, and a process of a rollup has two lists; see below.
`

const wireColumns = `
## Columns

In MessagePack the processes of a snapshot are an array: how many there are, then a column for each number of this table. None is
` + "`[0]`" + `. Behind the processes stands the list of traced system calls, each ` + "`[row, name, calls, time]`" + `, by row.

A column of **numbers** is a byte string: the mode's byte, then varints (LEB128; signed ones in zigzag). Of a column that may be
unknown the values are written plus one, and 0 is unknown. Bit 7 of the mode's byte says that the known values were divided by 4.
A letter is its ASCII code. Of what is true or false, true is 1 and false is unknown.

| mode | name | values |
|---|---|---|
| 0 | constant | one value, which all have |
| 1 | plain | each value |
| 2 | delta | the difference to the value before, in zigzag; the first to 0 |
| 3 | rising | how much more than one above the value before, which begins as −1 |
| 4 | sparse | the value that most have, how many have another, then of each how many lie between it and the one before, and its value |
| 5 | runs | of each run its length less one, and its value |

A column of **texts** is an array: how many distinct texts there are, a byte string with their lengths as varints and then all
their bytes, and a byte string with a column of numbers (as above, never unknown): which text each process has.

A writer takes the mode of the table, unless all values are alike (constant), there are fewer runs than a third of the values
(runs), or no value is common (plain instead of sparse). A reader takes any, but for pid only rising.

| number | key in JSON | what | may be unknown | mode |
|---|---|---|---|---|
`

const wireTail = `
A process of a **rollup** is ` + "`[pid, ppid, start_ticks, boot_id, uid, command, job_id, sheet_num, samples, last_boot_ns, spreads, lasts, fleet]`" + `: two lists
in which a column's number is followed by its Spread, or by its value of the last snapshot.

## Reading what is newer or older

- Fields are only ever appended. A reader passes over what it does not know: elements behind the last of a record, columns behind the
  last (64 at most), metrics of a rollup by their number. They are nil, booleans, numbers, strings, byte strings and arrays, nested
  eight deep at most.
- A field that is not there is 0, empty or unknown; a column that is not there, or nil, is unknown of all processes.
- The first element is the version. A message of another version is set aside, and not guessed at.
- Every length is checked before anything is made of it: there are no more processes than the column of pids has bytes, a column ends
  with its last value, texts are UTF-8 without a NUL.

## Compression

A message of 256 KiB or more may be one S2 block (` + "`Content-Encoding: s2`" + `). It may grow 1024-fold at most.

## Decoders

[decode.py](decoders/decode.py) and [decode.js](decoders/decode.js) decode whole messages, a file each, with nothing but their standard libraries. The
tests hold them against the messages in ` + "`schema/testdata`" + `, which must decode for ever.
`
