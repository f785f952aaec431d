package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/proctape/proctape/schema"
)

// schemaColumn is a column of a table or view, as sql --schema documents it.
type schemaColumn struct {
	Table  string `json:"table"`
	Kind   string `json:"kind"` // table or view
	Column string `json:"column"`
	Type   string `json:"type"`
	Unit   string `json:"unit,omitempty"`
	Doc    string `json:"meaning,omitempty"`
}

var schemaColumns = []column[schemaColumn]{
	{name: "table", head: "TABLE", value: func(c *schemaColumn) any { return c.Table }},
	{name: "kind", head: "KIND", value: func(c *schemaColumn) any { return c.Kind }},
	{name: "column", head: "COLUMN", value: func(c *schemaColumn) any { return c.Column }},
	{name: "type", head: "TYPE", value: func(c *schemaColumn) any { return c.Type }},
	{name: "unit", head: "UNIT", value: func(c *schemaColumn) any { return c.Unit }},
	{name: "meaning", head: "MEANING", value: func(c *schemaColumn) any { return c.Doc }, text: true},
}

// printSchema prints what the tables and views are for, or the columns of those that are named; for programs, all columns.
func printSchema(cmd *cobra.Command, v *view, names []string) error {
	tables, err := tablesNamed(names)
	if err != nil {
		return err
	}
	if !v.json && !v.csv && len(names) == 0 {
		t := newTable(cmd.OutOrStdout(), "TABLE\tKIND\tMEANING")
		for _, table := range tables {
			t.row("%s\t%s\t%s", table.Name, kindOf(&table), table.Doc)
		}
		return t.flush()
	}
	columns := schemaColumns
	if !v.json && !v.csv {
		if err := say(cmd.OutOrStdout(), "%s %s: %s", kindOf(&tables[0]), tables[0].Name, tables[0].Doc); err != nil {
			return err
		}
		columns = columns[2:]
	}
	to, err := newSink(v, cmd.OutOrStdout(), columns, nil)
	if err != nil {
		return err
	}
	var all []schemaColumn
	for _, table := range tables {
		for _, c := range table.Columns {
			all = append(all, schemaColumn{table.Name, kindOf(&table), c.Name, c.Type, c.Unit, c.Doc})
		}
	}
	return printAll(v, to, all, columns)
}

// tablesNamed are the tables and views of those names; all, the views first, without one.
func tablesNamed(names []string) ([]schema.Table, error) {
	tables := schema.Tables()
	slices.SortStableFunc(tables, func(a, b schema.Table) int { return btoi(b.View) - btoi(a.View) })
	if len(names) == 0 {
		return tables, nil
	}
	i := slices.IndexFunc(tables, func(t schema.Table) bool { return t.Name == names[0] })
	if i < 0 {
		return nil, hinted(misuse("no table or view %q is in a recording", names[0]), "%s\"proctape sql --schema\" lists them", didYouMean("", names[0], tableNames(tables)))
	}
	return tables[i : i+1], nil
}

func tableNames(tables []schema.Table) (names []string) {
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return names
}

func kindOf(t *schema.Table) string {
	if t.View {
		return "view"
	}
	return "table"
}
