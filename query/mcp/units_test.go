package mcp

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// withoutUnit are numbers with a fraction that have no unit by their key: the unit stands beside them, or they are one of many things.
var withoutUnit = strings.Fields("median min max change min_change p50 p90 p95")

// TestUnits_OfAllAnswers looks at every number with a fraction that a tool can answer with: it has a unit.
func TestUnits_OfAllAnswers(t *testing.T) {
	looked := 0
	for _, tool := range tools {
		for _, key := range fractions(tool.answers) {
			looked++
			if unitOf(key) == "" && !slices.Contains(withoutUnit, key) {
				t.Errorf("%s: %q has no unit: add it to endings or ofOthers", tool.name, key)
			}
		}
	}
	if looked < 60 {
		t.Errorf("only %d numbers were looked at", looked)
	}
	// The control: a number without a unit is found.
	type bare struct {
		Weight float64 `json:"weight"`
	}
	if keys := fractions([]reflect.Type{reflect.TypeFor[bare]()}); len(keys) != 1 || unitOf(keys[0]) != "" {
		t.Errorf("a number without a unit: %q", keys)
	}
}

// fractions are the keys of numbers with a fraction in types.
func fractions(types []reflect.Type) (keys []string) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		of = within(of)
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		for i := range of.NumField() {
			f := of.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if within(f.Type).Kind() == reflect.Float64 && key != "" && key != "-" {
				keys = append(keys, key)
			}
			walk(f.Type)
		}
	}
	for _, of := range types {
		walk(of)
	}
	return keys
}

// TestMarks_OfTheirTypes holds the vocabulary to what it is for: each of its words is a key of an answer, and none of those that programs fill.
func TestMarks_OfTheirTypes(t *testing.T) {
	for _, tool := range tools {
		m := marksOf(tool.answers)
		for _, key := range []string{"command", "details", "job_id", "cgroup", "syscall_counts", "text", "verdict"} {
			if m.words[key] && !(strings.HasPrefix(tool.name, "compare") && key == "verdict") { // there it is a word of ours
				t.Errorf("%s: %q counts as a word of ours", tool.name, key)
			}
		}
	}
	for name, key := range map[string]string{"events": "command", "compare_times": "key"} {
		i := slices.IndexFunc(tools, func(t tool) bool { return t.name == name })
		if !marksOf(tools[i].answers).text[key] {
			t.Errorf("%q of %s is not marked", key, name)
		}
	}
}
