package mcp

import (
	"context"
	"encoding/json"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/proctape/proctape/schema"
)

// resource is something that an agent can read, and that is the same for every recording.
type resource struct {
	name, doc string
	value     func() any
}

// resources are those that there are.
var resources = []resource{
	{"schema", "The tables and views of a recording, for the tool sql: each column with its type, unit and meaning.", func() any { return tablesOf(schema.Tables()) }},
	{"gap-kinds", "The kinds of gaps: what each means, whether something is missing, what its count counts, and what to do about it.", func() any { return kindsOf(schema.GapKinds()) }},
}

// add offers the resource.
func (r *resource) add(s *sdk.Server) {
	uri := "proctape://" + r.name
	s.AddResource(&sdk.Resource{Name: r.name, URI: uri, Description: r.doc, MIMEType: "application/json"},
		func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
			body, err := json.Marshal(r.value())
			return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(body)}}}, err
		})
}

// tableOf is a table or a view.
type tableOf struct {
	Name    string     `json:"table"`
	View    bool       `json:"view"`
	Doc     string     `json:"meaning"`
	Columns []columnOf `json:"columns"`
}

// columnOf is a column of a table.
type columnOf struct {
	Name string `json:"column"`
	Type string `json:"type"`
	Unit string `json:"unit,omitempty"`
	Doc  string `json:"meaning,omitempty"`
}

func tablesOf(tables []schema.Table) (list []tableOf) {
	for _, t := range tables {
		of := tableOf{Name: t.Name, View: t.View, Doc: t.Doc}
		for _, c := range t.Columns {
			of.Columns = append(of.Columns, columnOf{c.Name, c.Type, c.Unit, c.Doc})
		}
		list = append(list, of)
	}
	return list
}

// kindOf is a kind of gap.
type kindOf struct {
	Kind   schema.GapKind `json:"kind"`
	Doc    string         `json:"meaning"`
	Loss   schema.GapLoss `json:"something_is_missing"`
	Counts string         `json:"counts,omitempty"`
	Remedy string         `json:"what_to_do"`
}

func kindsOf(kinds []schema.GapInfo) (list []kindOf) {
	for _, k := range kinds {
		list = append(list, kindOf{k.Kind, k.Doc, k.Loss, k.Counts, k.Remedy})
	}
	return list
}
