package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// generated is a client that is made of the OpenAPI document alone: its operations by id, and Go types of their answers.
type generated struct {
	*site
	d     *description
	paths map[string]string // by operation
	open  []string          // schemas that a type is being made of: one that holds itself ends there
}

func (s *site) generate(d *description) *generated {
	g := &generated{site: s, d: d, paths: map[string]string{}}
	for path, of := range d.Paths {
		if g.paths[of.Get.OperationID] != "" {
			s.Errorf("two operations are called %q", of.Get.OperationID)
		}
		g.paths[of.Get.OperationID] = path
	}
	return g
}

// typeOf is the Go type of a schema. Its fields have the keys of the document and no others.
func (g *generated) typeOf(s shape) reflect.Type {
	name, isRef := strings.CutPrefix(s.Ref, "#/components/schemas/")
	if isRef {
		of, known := g.d.Components.Schemas[name]
		switch {
		case !known:
			g.Fatalf("the document has no schema %s", name)
		case slices.Contains(g.open, name):
			return reflect.TypeFor[json.RawMessage]()
		}
		g.open = append(g.open, name)
		defer func() { g.open = g.open[:len(g.open)-1] }()
		return g.typeOf(of)
	}
	if s.Type == nil && len(s.AnyOf) == 0 {
		return reflect.TypeFor[any]()
	}
	if len(s.AnyOf) > 0 {
		if len(s.AnyOf) == 2 && s.AnyOf[1].Type == "null" {
			return reflect.PointerTo(g.typeOf(s.AnyOf[0]))
		}
		return reflect.TypeFor[json.RawMessage]()
	}
	kinds, null := []string{}, false
	for _, kind := range typesOf(s.Type) {
		if null = null || kind == "null"; kind != "null" {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return reflect.TypeFor[any]()
	}
	made := map[string]reflect.Type{"string": reflect.TypeFor[string](), "number": reflect.TypeFor[float64](), "boolean": reflect.TypeFor[bool]()}[kinds[0]]
	switch {
	case kinds[0] == "array":
		return reflect.SliceOf(g.typeOf(*s.Items))
	case kinds[0] == "object" && s.AdditionalProperties != nil:
		return reflect.MapOf(reflect.TypeFor[string](), g.typeOf(*s.AdditionalProperties))
	case kinds[0] == "object":
		made = g.structOf(s)
	}
	if null {
		return reflect.PointerTo(made)
	}
	return made
}

func (g *generated) structOf(s shape) reflect.Type {
	var fields []reflect.StructField
	for i, key := range slices.Sorted(maps.Keys(s.Properties)) {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: g.typeOf(s.Properties[key]), Tag: reflect.StructTag(fmt.Sprintf("json:%q", key))})
	}
	return reflect.StructOf(fields)
}

// call asks an operation, and decodes its answer into the type that the document gives it. A key that the type does not have is an error.
func (g *generated) call(operation string, params url.Values) (any, error) {
	path := g.paths[operation]
	of := g.d.Paths[path].Get
	for name := range params {
		if !slices.ContainsFunc(of.Parameters, func(p parameter) bool { return p.Name == name }) {
			return nil, fmt.Errorf("%s has no parameter %s", operation, name)
		}
	}
	status, body := g.get(path + "?" + params.Encode())
	if status != 200 {
		return nil, fmt.Errorf("%s: %d %s", operation, status, body)
	}
	schema := of.Responses["200"].Content["application/json"].Schema
	kinds := []shape{schema}
	if len(schema.AnyOf) > 0 {
		kinds = schema.AnyOf
	}
	var err error
	for _, kind := range kinds {
		value := reflect.New(g.typeOf(kind))
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err = decoder.Decode(value.Interface()); err == nil {
			return value.Interface(), nil
		}
	}
	return nil, fmt.Errorf("%s: %w", operation, err)
}

// A client that knows nothing but the document can ask every question and read every answer.
func TestOpenAPI_MakesAClient(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	s := newWorldWith(t, 9, (*world).failedJob).withStatus()
	var d description
	_, body := s.get("/api/v1/openapi.json")
	check(t, json.Unmarshal(body, &d))
	g := s.generate(&d)
	for operation, params := range questions {
		if _, err := g.call(operation, params()); err != nil {
			t.Error(err)
		}
	}
	for operation := range g.paths {
		if _, asked := questions[operation]; !asked && operation != "stream" {
			t.Errorf("nobody asked %s", operation)
		}
	}
	// The control: a document that lacks one key of an answer makes a client that cannot read it.
	lacks := d.Components.Schemas["HostBalance"]
	delete(lacks.Properties, "produced")
	if _, err := g.call("hosts", nil); err == nil || !strings.Contains(err.Error(), "produced") {
		t.Errorf("a key that the document does not have is taken: %v", err)
	}
}
