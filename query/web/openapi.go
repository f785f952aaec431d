package web

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"sync"
)

// object is a JSON object whose keys stand in order.
type object = map[string]any

// document is the description of the API as OpenAPI 3.1 has it, made of the endpoints and of the types of their answers.
var document = sync.OnceValue(func() object {
	types := schemas{components: object{}, names: map[string]reflect.Type{}}
	problem := object{"description": "what is wrong", "content": object{"application/problem+json": object{"schema": types.of(reflect.TypeFor[Problem]())}}}
	paths := object{}
	for _, e := range allEndpoints() {
		paths[e.path] = object{"get": operation(e.path, e.doc, e.params, e.needs, object{"application/json": object{"schema": types.oneOf(e.values)}}, problem)}
	}
	paths[apiPath+"stream"] = object{"get": operation(apiPath+"stream", "what happens, as Server-Sent Events: snapshot, event, exec, gap, and missed with how many "+
		"messages the log no longer has", paramsOfStream, nil, object{"text/event-stream": object{"schema": object{"type": "string"}}}, problem)}
	return object{
		"openapi":    "3.1.0",
		"info":       object{"title": "proctape", "version": "1", "description": "What was recorded of processes and jobs. Times are Unix seconds, sizes MiB, unless a name says otherwise."},
		"security":   []any{object{"token": []any{}}},
		"paths":      paths,
		"components": object{"schemas": types.components, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
	}
})

// operation is one question.
func operation(path, doc string, params []param, needs []string, content, problem object) object {
	list := make([]any, 0, len(params))
	for _, p := range params {
		required := false
		for _, name := range needs {
			required = required || name == p.name
		}
		list = append(list, object{"name": p.name, "in": "query", "description": p.doc, "required": required, "schema": p.schema(), "explode": false})
	}
	return object{"operationId": strings.ReplaceAll(strings.TrimPrefix(path, apiPath), "/", "_"), "description": doc, "parameters": list,
		"responses": object{"200": object{"description": http.StatusText(http.StatusOK), "content": content}, "default": problem}}
}

// schema is the type of a parameter's value.
func (p *param) schema() object {
	word := object{"type": "string"}
	if p.choices != nil {
		word["enum"] = p.choices
	}
	switch p.kind {
	case ofText, ofTime:
		return word
	case ofList:
		return object{"type": "array", "items": word}
	}
	return object{"type": string(p.kind)}
}

// schemas are the types of answers.
type schemas struct {
	components object // by name
	names      map[string]reflect.Type
}

// oneOf is the schema of a value of one of some types.
func (s schemas) oneOf(values []reflect.Type) object {
	if len(values) == 1 {
		return s.of(values[0])
	}
	var list []any
	for _, t := range values {
		list = append(list, s.of(t))
	}
	return object{"anyOf": list}
}

// of is the schema of a Go type, as encoding/json writes it.
func (s schemas) of(t reflect.Type) object {
	if t == reflect.TypeFor[json.RawMessage]() { // as the database has it: an object of numbers by name
		return object{"type": []any{"object", "null"}, "additionalProperties": object{"type": "number"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := s.of(t.Elem())
		if kind, ok := inner["type"].(string); ok {
			return object{"type": []any{kind, "null"}}
		}
		return object{"anyOf": []any{inner, object{"type": "null"}}}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice, reflect.Array:
		return object{"type": []any{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": []any{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.ofStruct(t)
	case reflect.Interface:
		return object{}
	}
	return object{"type": "integer"}
}

// ofStruct describes a struct once, and refers to it.
func (s schemas) ofStruct(t reflect.Type) object {
	name := s.name(t)
	if s.names[name] == nil {
		s.names[name] = t
		properties, required := object{}, []any{}
		described := object{"type": "object", "properties": properties}
		s.components[name] = described
		s.addFields(t, properties, &required)
		if properties["unknown"] != nil { // each value may be one that is not known
			for key, of := range properties {
				properties[key] = orNull(of.(object))
			}
		}
		if len(required) > 0 {
			described["required"] = required
		}
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// orNull is a schema that also allows null.
func orNull(of object) object {
	if kind, ok := of["type"].(string); ok {
		return object{"type": []any{kind, "null"}}
	}
	return of
}

// addFields adds a struct's fields, and those of what is embedded in it.
func (s schemas) addFields(t reflect.Type, properties object, required *[]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			s.addFields(inner, properties, required)
		case f.IsExported() && tag != "-":
			if tag == "" {
				tag = f.Name
			}
			properties[tag] = s.of(f.Type)
			if !strings.Contains(options, "omit") {
				*required = append(*required, tag)
			}
		}
	}
}

// name is how a type is called: list[query.Event] is ListOfEvent. Of two with one name the second has its package before it.
func (s schemas) name(t reflect.Type) string {
	outer, inner, generic := strings.Cut(t.Name(), "[")
	name := strings.ToUpper(outer[:1]) + outer[1:]
	if generic {
		inner = strings.TrimSuffix(inner, "]")
		name += "Of" + inner[strings.LastIndexByte(inner, '.')+1:]
	}
	if of := s.names[name]; of != nil && of != t {
		_, folder, _ := strings.Cut(t.PkgPath(), "proctape/proctape/")
		folder = folder[strings.LastIndexByte(folder, '/')+1:]
		return strings.ToUpper(folder[:1]) + folder[1:] + name
	}
	return name
}
