// Package wire measures what messages cost: their bytes in payloads and in the log, and the time to encode and decode them.
//
// It uses only what every version of the code has, so that bench/compare can put it over an older commit.
package wire

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/schema"
)

// rowsPerHost is how many processes a simulated host has.
const rowsPerHost = 200

// recordings are the snapshots of real machines in testdata, whose README says what they are.
var recordings = []string{"idle", "building"}

// line is a recorded message. What a benchmark changes is taken apart, the rest is kept as it is.
type line struct {
	message   map[string]json.RawMessage
	snapshot  map[string]json.RawMessage
	processes []json.RawMessage
}

// recording reads the lines of a recording, at most so many of them.
func recording(b *testing.B, name string, most int) []line {
	b.Helper()
	f, err := os.Open("testdata/" + name + ".jsonl.gz")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	var lines []line
	for s := bufio.NewReader(z); ; {
		text, err := s.ReadBytes('\n')
		if len(lines) == most || len(text) == 0 && err != nil {
			return lines
		}
		lines = append(lines, lineOf(b, text))
	}
}

func lineOf(b *testing.B, text []byte) (l line) {
	b.Helper()
	must(b, json.Unmarshal(text, &l.message))
	must(b, json.Unmarshal(l.message["snapshot"], &l.snapshot))
	must(b, json.Unmarshal(l.snapshot["processes"], &l.processes))
	return l
}

// encoded returns the line as a message of this version, with other processes where they are given.
func (l line) encoded(b *testing.B, processes []json.RawMessage) []byte {
	b.Helper()
	snapshot, message := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for k, v := range l.snapshot {
		snapshot[k] = v
	}
	for k, v := range l.message {
		message[k] = v
	}
	if processes != nil {
		snapshot["processes"] = marshal(b, processes)
	}
	message["v"], message["snapshot"] = marshal(b, schema.Version), marshal(b, snapshot)
	return marshal(b, message)
}

var pidKey = regexp.MustCompile(`"pid":\d+`)

// resized returns the line with n processes: the first of it, repeated under other pids as needed.
func (l line) resized(b *testing.B, n int) *schema.Message {
	b.Helper()
	var processes []json.RawMessage
	last := 0
	for i := range n {
		p := l.processes[i%len(l.processes)]
		if i >= len(l.processes) {
			p = pidKey.ReplaceAll(p, []byte(`"pid":`+strconv.Itoa(last+1+i%3)))
		}
		var pid struct {
			PID int `json:"pid"`
		}
		must(b, json.Unmarshal(p, &pid))
		last = pid.PID
		processes = append(processes, p)
	}
	return decodeJSON(b, l.encoded(b, processes))
}

// decodeJSON reads a message in pieces that the codec of JSON takes.
func decodeJSON(b *testing.B, text []byte) *schema.Message {
	b.Helper()
	m, err := schema.JSON.Decode(text)
	must(b, err)
	return m
}

// messages makes messages of a recording without end: when it is through it begins again, later.
func messages(b *testing.B, name string) func() *schema.Message {
	var all []*schema.Message
	for _, l := range recording(b, name, math.MaxInt) {
		all = append(all, decodeJSON(b, l.encoded(b, nil)))
	}
	n, period := 0, all[len(all)-1].Boot-all[0].Boot+int64(time.Second)
	return func() *schema.Message {
		m := *all[n%len(all)]
		later := int64(n/len(all)) * period
		m.Wall, m.Boot = m.Wall+later, m.Boot+later
		n++
		m.Seq, m.Produced = uint64(n), uint64(n)
		return &m
	}
}

// fleet makes the snapshots of simulated hosts in turn, so many of one in a row. A message is good until the next.
func fleet(b *testing.B, hosts, row int) func() *schema.Message {
	b.Helper()
	f, err := simulate.NewFleet(simulate.Config{Hosts: hosts, Processes: rowsPerHost, Interval: 5 * time.Second, Churn: 0.1, Jobs: 2,
		Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)})
	must(b, err)
	n := 0
	return func() *schema.Message {
		all := f.Host(n / row % hosts).Step()
		n++
		for i := range all {
			if all[i].Kind == schema.KindSnapshot {
				return &all[i]
			}
		}
		b.Fatal("a step without a snapshot")
		return nil
	}
}

// processesIn counts the processes of a message, which are a list in older versions.
func processesIn(b *testing.B, m *schema.Message) int {
	b.Helper()
	processes := any(&m.Snapshot.Processes)
	if columns, ok := processes.(interface{ Len() int }); ok {
		return columns.Len()
	}
	return reflect.ValueOf(processes).Elem().Len()
}

func marshal(b *testing.B, v any) []byte {
	b.Helper()
	text, err := json.Marshal(v)
	must(b, err)
	return text
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(fmt.Errorf("%s: %w", b.Name(), err))
	}
}
