package schema

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema/metric"
)

// Table is a table or a view of a database, as it is documented.
type Table struct {
	Name    string
	View    bool
	Doc     string // what a row is
	Columns []Column
}

// Column is a column of a [Table].
type Column struct {
	Name string
	Type string // INTEGER, REAL, TEXT or BLOB
	Unit string // of its numbers; empty for what has none
	Doc  string // what it means; empty where its name says so
}

// Tables are the tables and views of this build's databases, in the order in which they are made. What they say is read out of what makes
// them: the comments in sql/*.sql, and the table of metrics.
func Tables() []Table {
	var tables []Table
	names, _ := fs.Glob(migrations, "sql/*.sql") // the pattern is right
	for _, name := range names {
		text, _ := migrations.ReadFile(name) // it is embedded
		tables = addTables(tables, withMetrics(string(text)))
	}
	for i := range tables {
		for c := range tables[i].Columns {
			tables[i].Columns[c].complete(tables[i].Name, tables)
		}
	}
	return append(tables, measuredView(tables))
}

var (
	createPattern = regexp.MustCompile(`^CREATE TABLE (\w+) \($`)
	alterPattern  = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN (\w+) (\w+)`)
	columnPattern = regexp.MustCompile(`(?:^|, )([a-z]\w*) +(INTEGER|REAL|TEXT|BLOB)\b`)
	viewPattern   = regexp.MustCompile(`\b(p|m|sn)\.(\w+)[^\n]*? AS (\w+)`)
)

// addTables adds the tables that a migration makes, and the columns that it adds to others.
func addTables(tables []Table, ddl string) []Table {
	var above []string // the lines of the comment that ends here
	inside := false
	for line := range strings.Lines(ddl) {
		line = strings.TrimSpace(line)
		code, comment, commented := strings.Cut(line, "--")
		comment = strings.TrimSpace(comment)
		switch made, added := createPattern.FindStringSubmatch(line), alterPattern.FindStringSubmatch(line); {
		case made != nil:
			tables, inside = append(tables, Table{Name: made[1], Doc: lastParagraph(above)}), true
		case added != nil:
			i := slices.IndexFunc(tables, func(t Table) bool { return t.Name == added[1] })
			tables[i].Columns = append(tables[i].Columns, Column{Name: added[2], Type: added[3], Doc: lastParagraph(above)})
		case inside && strings.HasPrefix(line, ")"):
			inside, above = false, nil
		case inside:
			of := &tables[len(tables)-1]
			for _, c := range columnPattern.FindAllStringSubmatch(code, -1) {
				of.Columns = append(of.Columns, Column{Name: c[1], Type: c[2], Doc: comment})
			}
		case commented && code == "":
			above = append(above, comment)
		case line == "":
			above = nil
		}
	}
	return tables
}

// lastParagraph is the end of a comment, from its last empty line on.
func lastParagraph(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i] == "" {
			return strings.Join(lines[i+1:], " ")
		}
	}
	return strings.Join(lines, " ")
}

// meanTheSame are columns that mean the same in every table.
var meanTheSame = []string{"host_id", "boot_id", "instance", "fleet"}

// complete adds to a column of a table what others say of it: the table of metrics, and the first table that has one of that name.
func (c *Column) complete(table string, tables []Table) {
	if m := metricOf(table, c.Name); m != nil {
		c.Unit = m.Unit.Name
		if c.Doc == "" {
			doc, _, onWire := strings.Cut(m.Doc, "; empty ") // as the wire has what the tables have NULL for
			if onWire {
				doc += "."
			}
			c.Doc = doc
		}
	}
	if c.Unit == "" && c.Type != "TEXT" {
		c.Unit = unitOf(c.Name, c.Type, c.Doc)
	}
	for i := 0; c.Doc == "" && slices.Contains(meanTheSame, c.Name) && i < len(tables); i++ {
		for _, other := range tables[i].Columns {
			if other.Name == c.Name && c.Doc == "" {
				c.Doc = other.Doc
			}
		}
	}
}

// metricOf is the metric that a column of a table has; nil for none. What says which process it is has the same name in all tables.
func metricOf(table, column string) *metric.Metric {
	for id := range metric.Count {
		m := &metric.Table[id]
		spread, isSpread := strings.CutPrefix(column, m.Spread+"_")
		switch {
		case column == m.Name && (!m.Measured() || table == "samples" || table == "process_rollups"),
			table == "process_rollups" && m.Rollup == metric.Spread && isSpread && slices.Contains([]string{"mean", "max", "p95"}, spread):
			return m
		}
	}
	return nil
}

// unitOf is the unit of a column of numbers, which its name ends with. Times are of the wall clock.
func unitOf(name, kind, doc string) string {
	for _, u := range [][2]string{{"_mb", "MiB"}, {"_kib", "KiB"}, {"_ns", "nanoseconds"}, {"_us", "microseconds"}, {"_ms", "milliseconds"}, {"_permille", "thousandths of a core"},
		{"_seconds", "seconds"}, {"_pct", "percent"}, {"_x100", "hundredths of a percent"}, {"_ticks", "ticks of 1/100 s after boot"}, {"_count", "count"}} {
		if strings.HasSuffix(name, u[0]) {
			return u[1]
		}
	}
	switch {
	case kind == "REAL" && !strings.HasPrefix(name, "load_avg"):
		return "Unix seconds"
	case strings.Contains(doc, "KiB"):
		return "KiB"
	case strings.Contains(doc, "thousandths of a core"):
		return "thousandths of a core"
	}
	return ""
}

// measuredView documents process_metrics by the text that makes it.
func measuredView(tables []Table) Table {
	view := Table{Name: "process_metrics", View: true,
		Doc: "A process in a snapshot, in the units that people read. Ask it for snapshots, a pid, a job, an id or a time: each is looked up."}
	from := map[string]string{"p": "processes", "m": "samples", "sn": "snapshots"}
	shown, _, _ := strings.Cut(processMetrics, "\nFROM ")
	for _, line := range strings.Split(strings.ReplaceAll(shown, ", p.", ",\np."), "\n") {
		line = strings.ReplaceAll(line, ", sn.id", ",\nsn.id")
		for _, found := range viewPattern.FindAllStringSubmatch(line, -1) {
			view.Columns = append(view.Columns, viewColumn(found[3], from[found[1]], found[2], tables))
		}
	}
	return view
}

// viewColumn is a column of the view, which is made of one of a table.
func viewColumn(name, table, of string, tables []Table) Column {
	switch name {
	case "snapshot_id":
		return Column{Name: name, Type: "INTEGER", Doc: "snapshots.id"}
	case "process_id":
		return Column{Name: name, Type: "INTEGER", Doc: "processes.id"}
	case "age_seconds":
		return Column{Name: name, Type: "REAL", Unit: "seconds", Doc: "Since the process started."}
	}
	for _, id := range metric.Shown {
		if m := &metric.Table[id]; m.Key == name {
			c := Column{Name: name, Type: "INTEGER", Unit: m.Unit.Shown, Doc: m.Doc}
			if m.Kind == metric.Letter {
				c.Type = "TEXT"
			} else if m.Unit.Per > 1 {
				c.Type = "REAL"
			}
			return c
		}
	}
	for _, t := range tables {
		for _, c := range t.Columns {
			if t.Name == table && c.Name == of {
				c.Name = name
				return c
			}
		}
	}
	return Column{Name: name}
}
