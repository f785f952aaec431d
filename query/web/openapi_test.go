package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/query/web"
)

// description is what the test reads of the OpenAPI document.
type description struct {
	Paths map[string]struct {
		Get struct {
			OperationID string
			Parameters  []parameter
			Responses   map[string]struct {
				Content map[string]struct{ Schema shape }
			}
		}
	}
	Components struct{ Schemas map[string]shape }
}

// parameter is one of a question.
type parameter struct {
	Name   string
	Schema shape
}

// shape is a JSON schema, as far as the document uses it.
type shape struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Properties           map[string]shape
	Required             []string
	Items                *shape
	AdditionalProperties *shape
	AnyOf                []shape
	Enum                 []string
}

// defects is what is wrong with a value by a schema; path says where it is.
func (d *description) defects(s shape, value any, path string) (found []string) {
	switch {
	case s.Ref != "":
		return d.defects(d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], value, path)
	case len(s.AnyOf) > 0:
		for _, one := range s.AnyOf {
			if len(d.defects(one, value, path)) == 0 {
				return nil
			}
		}
		return []string{path + " is none of what it may be"}
	case s.Type != nil && !slices.Contains(typesOf(s.Type), typeOf(value)):
		return []string{fmt.Sprintf("%s is a %s, want %v", path, typeOf(value), s.Type)}
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			found = append(found, d.defects(*s.Items, item, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				found = append(found, path+" lacks "+name)
			}
		}
		for name, inner := range v {
			of, ok := s.Properties[name]
			if !ok && s.AdditionalProperties != nil {
				of, ok = *s.AdditionalProperties, true
			}
			if !ok {
				found = append(found, path+"."+name+" is not described")
				continue
			}
			found = append(found, d.defects(of, inner, path+"."+name)...)
		}
	}
	return found
}

// typesOf are the types that a schema allows, with number for integer, as JSON has one kind.
func typesOf(types any) []string {
	list, ok := types.([]any)
	if !ok {
		list = []any{types}
	}
	var names []string
	for _, t := range list {
		names = append(names, strings.ReplaceAll(t.(string), "integer", "number"))
	}
	return names
}

func typeOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// questions are all that can be asked, each with what makes it have an answer with items.
var questions = map[string]func() url.Values{
	"hosts": none, "status": none, "snapshots": none, "events": none, "execs": none, "jobs": none, "gaps": none, "anomalies": none,
	"history": with("pid", "42"), "processes": with("at", atSecond(2)), "tree": with("at", atSecond(2)), "orphans": with("at", atSecond(2)),
	"diff": with("from", atSecond(0), "to", atSecond(2)), "top": with("since", atSecond(0), "until", atSecond(3)),
	"series": with("since", atSecond(0), "until", atSecond(9)),
	"lanes":  with("since", atSecond(0), "until", atSecond(9), "px", "300"),
	"proof":  none, "runs": with("job", "build"), "report": with("job", "build"), "why": with("pid", "1003"),
	"compare": with("job", "build", "other", "build"), "correlate": with("job", "build"), "estimate": with("job", "build", "host", "alpha"),
}

func none() url.Values { return nil }

func with(pairs ...string) func() url.Values {
	return func() url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
}

// atSecond is the time of the i-th message.
func atSecond(i int) string {
	return began.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano)
}

// withStatus serves the world with a verdict.
func (w *world) withStatus() *site {
	return w.serveWith(0, func(cfg *web.Config) {
		cfg.Status = func(ctx context.Context) (*health.Status, error) {
			hosts, err := query.Hosts(ctx, w.db)
			return &health.Status{Verdict: health.Verdict{Word: "well", Troubles: []health.Trouble{}}, Hosts: hosts, Streams: []health.StreamStatus{{}}, Stopped: []string{}}, err
		}
	})
}

func TestOpenAPI_DescribesTheAnswers(t *testing.T) {
	s := newWorldWith(t, 9, (*world).failedJob).withStatus()
	_, body := s.get("/api/v1/openapi.json")
	var d description
	check(t, json.Unmarshal(body, &d))
	asked := 0
	for path, params := range questions {
		needs := "?" + params().Encode()
		status, body := s.get("/api/v1/" + path + needs)
		var value any
		check(t, json.Unmarshal(body, &value))
		answer := d.Paths["/api/v1/"+path].Get.Responses["200"].Content["application/json"].Schema
		if answer.Ref == "" && answer.AnyOf == nil || status != 200 {
			t.Fatalf("%s is not described, or not answered: %d %s", path, status, body)
		}
		for _, defect := range d.defects(answer, value, path) {
			t.Error(defect)
		}
		// Every parameter is taken: what is wrong with it, if anything, is its value.
		for _, p := range d.Paths["/api/v1/"+path].Get.Parameters {
			asked++
			if _, body := s.get("/api/v1/" + path + "?" + p.Name + "=1"); strings.Contains(string(body), "there is no such parameter") {
				t.Errorf("%s does not take %s", path, p.Name)
			}
		}
	}
	if asked < 40 {
		t.Errorf("only %d parameters are described", asked)
	}
	if _, ok := d.Paths["/api/v1/stream"]; !ok {
		t.Error("the stream is not described")
	}
	// The control: an answer that is not as described is noticed.
	wrong := map[string]any{"items": []any{map[string]any{"host": 5.0, "more": true}}}
	if n := len(d.defects(d.Paths["/api/v1/hosts"].Get.Responses["200"].Content["application/json"].Schema, wrong, "")); n < 5 {
		t.Errorf("%d defects found in a wrong answer", n)
	}
}
