package schema

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/proctape/proctape/schema/metric"
)

const columnsFile = "../docs/decoders/columns.json"

// docs/decoders/columns.json, which the decoders read, is made from the table of metrics.
func TestWireDocument_Columns(t *testing.T) {
	type column struct {
		Number   metric.ID `json:"number"`
		Name     string    `json:"name"`
		Kind     string    `json:"kind"`
		Nullable bool      `json:"nullable"`
		Rollup   string    `json:"rollup"`
	}
	var columns []column
	for id := range metric.Count {
		m := &metric.Table[id]
		c := column{Number: id, Name: m.Name, Kind: "number", Nullable: m.MayBeUnknown()}
		switch m.Kind {
		case metric.Text:
			c.Kind = "text"
		case metric.Letter:
			c.Kind = "letter"
		case metric.Flag:
			c.Kind = "flag"
		}
		switch m.Rollup {
		case metric.Last:
			c.Rollup = "last"
		case metric.Spread:
			c.Rollup = "spread"
		}
		columns = append(columns, c)
	}
	want, err := json.MarshalIndent(columns, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(columnsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(columnsFile); err != nil || string(got) != string(want) {
		t.Errorf("docs/decoders/columns.json is not what metric.Table says (%v). Write it anew: go test ./schema -run TestWireDocument_Columns -update", err)
	}
}
