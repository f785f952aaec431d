package schema

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestKind_EventType(t *testing.T) {
	for kind, want := range map[Kind]string{
		KindSpawn: "spawn", KindExit: "exit", KindSignal: "signal", KindKill: "kill", KindOOM: "oom",
		KindGap: "", KindSnapshot: "", KindJob: "", KindRollup: "", KindRun: "", KindAnomaly: "", "": "", "event.": "", "event": "", "event.other": "", KindExec: "",
	} {
		if got := kind.EventType(); got != want {
			t.Errorf("%q: got %q, want %q", kind, got, want)
		}
	}
	for name, kind := range EventKinds {
		if got := kind.EventType(); got != name {
			t.Errorf("%s: got %q, want %q", kind, got, name)
		}
	}
}

func TestMessage_Count(t *testing.T) {
	for _, e := range examples() {
		name, want := bodyOf(t, e.m)
		if want < 2 && name != "Snapshot" && name != "Rollup" && name != "Run" && name != "Anomaly" {
			t.Errorf("%s: %s has %d items: give it two in schema/fixtures_test.go, or a Count of 1 looks right", e.name, name, want)
		}
		if got := e.m.Count(); got != want {
			t.Errorf("%s: got %d, want %d: Count of schema/message.go needs a case for %s", e.name, got, want, name)
		}
	}
}

// bodyOf is the field of a message that is filled, and how many items it holds.
func bodyOf(t *testing.T, m *Message) (name string, items uint64) {
	t.Helper()
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.Slice && !f.IsNil():
			return v.Type().Field(i).Name, uint64(f.Len())
		case f.Kind() == reflect.Pointer && !f.IsNil():
			return v.Type().Field(i).Name, 1
		}
	}
	t.Fatalf("%s: no field is filled", m.Kind)
	return "", 0
}

func TestEnvelope_ID(t *testing.T) {
	e := envelope(KindExit, 1001)
	if got, want := e.ID(), "00112233445566778899aabbccddeeff.event.exit.1001"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInstance(t *testing.T) {
	a, b := NewInstance(), NewInstance()
	if a == b || a == (Instance{}) {
		t.Errorf("got %s and %s, want two that differ", a, b)
	}
	text, err := a.MarshalText()
	if err != nil || string(text) != a.String() || len(text) != 32 {
		t.Errorf("got %q, %v, want %q", text, err, a)
	}
	var back Instance
	if err := back.UnmarshalText(text); err != nil || back != a {
		t.Errorf("got %s, %v, want %s", back, err, a)
	}
	for _, bad := range []string{"", "00", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("x", 32)} {
		if err := back.UnmarshalText([]byte(bad)); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: got error %v, want one that names it", bad, err)
		}
	}
}

func TestOpt(t *testing.T) {
	tests := []struct {
		name, json string
		o          Opt[int64]
		or         int64
	}{
		{"unknown", "null", Opt[int64]{}, 7},
		{"zero", "0", Some[int64](0), 0},
		{"negative", "-5", Some[int64](-5), -5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.o.Or(7); got != test.or {
				t.Errorf("Or: got %d, want %d", got, test.or)
			}
			if got, err := json.Marshal(test.o); err != nil || string(got) != test.json {
				t.Errorf("JSON: got %s, %v, want %s", got, err, test.json)
			}
			got := Some[int64](99)
			if err := json.Unmarshal([]byte(test.json), &got); err != nil || got != test.o {
				t.Errorf("from JSON: got %+v, %v, want %+v", got, err, test.o)
			}
		})
	}
	var o Opt[int64]
	if err := json.Unmarshal([]byte(`"1"`), &o); err == nil || o.Known {
		t.Errorf("from a string: got %+v, %v, want an error", o, err)
	}
}

func TestSnapshot_Zombies(t *testing.T) {
	if got, want := exampleSnapshot().Zombies(), []int64{4_194_303}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := new(Snapshot).Zombies(); got != nil {
		t.Errorf("no processes: got %v, want none", got)
	}
}

func TestReplayed_RoundTrip(t *testing.T) {
	value := Replayed(StreamEvents, 2, 1<<62)
	if stream, epoch, seq, ok := ParseReplayed(value); !ok || stream != StreamEvents || epoch != 2 || seq != 1<<62 {
		t.Errorf("%q: got %q, %d, %d, %v", value, stream, epoch, seq, ok)
	}
	for _, bad := range []string{"", "PROCTAPE_EVENTS", "PROCTAPE_EVENTS/1", "PROCTAPE_EVENTS/1/x", "PROCTAPE_EVENTS/x/1", "a/1/1/1", "a/1/9223372036854775808"} {
		if stream, epoch, seq, ok := ParseReplayed(bad); ok {
			t.Errorf("%q: got %q, %d, %d, want not ok", bad, stream, epoch, seq)
		}
	}
}
