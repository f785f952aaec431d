package export

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/metric"
)

// The types of columns.
const (
	integer = iota
	float
	text
	flag
)

// value is what a row has in a column. An empty text is not known.
type value struct {
	known bool
	int   int64
	float float64
	text  string
}

// column is a column of a table that is exported: a field of a row, by its key in JSON. So a metric that is added has its column.
type column struct {
	name, unit, doc string
	kind            int
	index           []int
	omitzero        bool // a zero is not known
	base            *column
}

// sample is a row of the samples: a process in a snapshot.
type sample struct {
	Timestamp  float64 `json:"timestamp"`
	Host       string  `json:"host"`
	Resolution float64 `json:"resolution_seconds"`
	*query.Process
}

// tableTypes are the types of the rows of each table.
var tableTypes = map[string]reflect.Type{
	Samples: reflect.TypeFor[sample](), Events: reflect.TypeFor[query.Event](), Execs: reflect.TypeFor[query.Exec](), Runs: reflect.TypeFor[query.Run](), Gaps: reflect.TypeFor[query.Gap](),
}

// columnsOf are the columns of a table: of each field that is one value.
func columnsOf(table string) []*column {
	columns := fieldsOf(tableTypes[table], nil)
	byName := map[string]*column{}
	for _, c := range columns {
		byName[c.name] = c
		c.unit, c.doc = meaning(c.name)
		for _, of := range []string{"_max", "_p95"} {
			if base, is := strings.CutSuffix(c.name, of); is && table == Samples {
				c.base = byName[base]
			}
		}
	}
	return columns
}

// fieldsOf are the columns of a struct, and of those that are embedded in it.
func fieldsOf(t reflect.Type, within []int) (columns []*column) {
	for f := range t.Fields() {
		index := append(slices.Clone(within), f.Index...)
		if f.Anonymous {
			of := f.Type
			if of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			columns = append(columns, fieldsOf(of, index)...)
			continue
		}
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		kind, is := kindOf(f.Type)
		if !f.IsExported() || !is || name == "-" || name == "" && !tagged {
			continue
		}
		columns = append(columns, &column{name: name, kind: kind, index: index, omitzero: options == "omitzero" && kind != flag})
	}
	return columns
}

// kindOf is the type of the column of a field, if it has one.
func kindOf(t reflect.Type) (kind int, is bool) {
	if t == reflect.TypeFor[json.RawMessage]() {
		return text, true
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int64, reflect.Int:
		return integer, true
	case reflect.Float64:
		return float, true
	case reflect.String:
		return text, true
	case reflect.Bool:
		return flag, true
	}
	return 0, false
}

// of is what a row, a pointer to a struct, has in the column.
func (c *column) of(row reflect.Value) value {
	f := row.Elem().FieldByIndex(c.index)
	if s, is := row.Interface().(*sample); is && !c.knownOf(s, row, f) {
		return value{}
	}
	if f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return value{}
		}
		f = f.Elem()
	}
	switch c.kind {
	case integer:
		return value{known: !c.omitzero || f.Int() != 0, int: f.Int()}
	case float:
		return value{known: !c.omitzero || c.base != nil || f.Float() != 0, float: f.Float()}
	case flag:
		v := value{known: true}
		if f.Bool() {
			v.int = 1
		}
		return v
	}
	v := value{}
	if f.Kind() == reflect.Slice {
		v.text = string(f.Bytes())
	} else {
		v.text = f.String()
	}
	v.known = v.text != ""
	return v
}

// knownOf reports whether a sample knows the value: its default may stand there in its place. The spread of a minute is known where its mean is.
func (c *column) knownOf(s *sample, row, f reflect.Value) bool {
	if c.base != nil {
		return s.Resolution > 0 && c.base.of(row).known
	}
	return len(s.Unknown) == 0 || s.Knows(c.name)
}

// meaning is the unit and the meaning of a column: of a metric as the table of metrics has them.
func meaning(name string) (unit, doc string) {
	mean := strings.TrimSuffix(strings.TrimSuffix(name, "_max"), "_p95")
	for i := range metric.Table {
		if m := &metric.Table[i]; m.Key != "" && m.Key == mean && (m.Measured() || m.Key == name) {
			if m.Unit.Shown != "" && m.Unit.Shown != metric.Counted.Shown {
				unit = m.Unit.Shown
			}
			switch doc = m.Doc; {
			case strings.HasSuffix(name, "_max"):
				doc = "The largest of a minute. " + doc
			case strings.HasSuffix(name, "_p95"):
				doc = "The 95th percentile of a minute. " + doc
			}
			return unit, doc
		}
	}
	switch {
	case slices.Contains([]string{"timestamp", "started", "ended", "ended_since", "from_time", "to_time"}, name):
		return "Unix seconds", ""
	case strings.HasSuffix(name, "_seconds"):
		return "seconds", ""
	case strings.HasSuffix(name, "_mb"):
		return "MiB", ""
	}
	return "", ""
}
