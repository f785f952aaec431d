package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// tool is a question that an agent can ask.
type tool struct {
	name, title, doc string
	answers          []reflect.Type // what it answers with: one of these
	add              func(*sdk.Server, *Config, *tool) error
}

// define describes a tool: its input is a struct with the tags of jsonschema, its answer one of some values' types.
func define[In any](name, title, doc string, answer func(context.Context, *asked, *In) (*reply, error), of ...any) tool {
	t := tool{name: name, title: title, doc: doc}
	for _, v := range of {
		t.answers = append(t.answers, reflect.TypeOf(v))
	}
	t.add = func(s *sdk.Server, cfg *Config, t *tool) error {
		in, err := inputOf[In]()
		if err != nil {
			return fmt.Errorf("describe the input of %s: %w", t.name, err)
		}
		marks, no := marksOf(t.answers), false
		described := &sdk.Tool{Name: t.name, Title: t.title, Description: t.doc, InputSchema: in,
			Annotations: &sdk.ToolAnnotations{Title: t.title, ReadOnlyHint: true, IdempotentHint: true, DestructiveHint: &no, OpenWorldHint: &no}}
		sdk.AddTool(s, described, func(ctx context.Context, _ *sdk.CallToolRequest, in In) (*sdk.CallToolResult, any, error) {
			ctx, cancel := context.WithTimeout(ctx, cfg.Deadline)
			defer cancel()
			a := &asked{cfg.DB, cfg, cfg.Now()}
			r, err := answer(ctx, a, &in)
			if err == nil {
				var body []byte
				if body, err = r.pack(marks); err == nil {
					return result(body, false), nil, nil
				}
			}
			return result(cfg.explain(ctx, t.name, err), true), nil, nil
		})
		return nil
	}
	return t
}

// result is an answer as the protocol has it: as text too, for clients that read no structure.
func result(body []byte, failed bool) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(body)}}, StructuredContent: json.RawMessage(body), IsError: failed}
}

// inputOf is the schema of an input, with the bounds and words of the inputs that have them.
func inputOf[In any]() (*jsonschema.Schema, error) {
	s, err := jsonschema.For[In](nil)
	if err != nil {
		return nil, err
	}
	for name, p := range s.Properties {
		if words := choices[name]; words != nil {
			for _, w := range words {
				p.Enum = append(p.Enum, w)
			}
		}
		if b, bounded := bounds[name]; bounded {
			p.Minimum, p.Maximum = &b[0], &b[1]
		}
		if strings.HasPrefix(p.Description, "time: ") {
			p.Description = strings.TrimPrefix(p.Description, "time: ") + ", such as -15m, yesterday 14:00, RFC 3339 or Unix seconds"
		}
		if p.Type == "" && slices.Contains(p.Types, "null") { // a pointer is for a number that may be 0
			p.Type, p.Types = p.Types[len(p.Types)-1], nil
		}
		if p.Type == "string" {
			longest := longestText
			if name == "statement" {
				longest = 64 << 10
			}
			p.MaxLength = &longest
		}
	}
	return s, nil
}
