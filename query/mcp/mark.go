package mcp

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
)

// mark is what keys of text begin with that the record did not choose itself.
const mark = "untrusted_"

// vocabulary are keys whose values are words of the program's own: kinds, sources, names of keys, and hosts, whose names have no blanks.
var vocabulary = strings.Fields(`host hosts kind event_type state stream message_kind source sources cpu_source peak_source io_source pressure_level
	unknown at_least run_id boot_id condition unit why cause together_source data events evidence resolution name by`)

// ofTheStatement is the key of the names of columns: they are of the statement that the agent wrote.
const ofTheStatement = "columns"

// oneWord is what a value under such a key must look like: what does not is marked all the same.
var oneWord = regexp.MustCompile(`^[A-Za-z0-9_.:+%/-]{0,64}$`)

// marks say which keys of some answers are marked: those of text of others always, and each whose value has text and is no word of ours.
type marks struct{ text, words map[string]bool }

// marksOf are the marks of answers of some types. A type of its own that is a string has words of the program's own.
func marksOf(types []reflect.Type) marks {
	m, seen := marks{map[string]bool{}, map[string]bool{}}, map[reflect.Type]bool{}
	for _, key := range vocabulary {
		m.words[key] = true
	}
	for _, t := range types {
		m.collect(t, seen)
	}
	return m
}

// collect adds the keys of a type and of all that is in it.
func (m marks) collect(t reflect.Type, seen map[reflect.Type]bool) {
	t = within(t)
	if t.Kind() == reflect.Map {
		m.collect(t.Elem(), seen)
		return
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		switch {
		case key == "" || slices.Contains(vocabulary, key):
		case holdsText(f.Type):
			m.text[key] = true
		case within(f.Type).Kind() == reflect.String:
			m.words[key] = true
		}
		m.collect(f.Type, seen)
	}
}

// holdsText reports whether values of a type are text, or have keys that are.
func holdsText(t reflect.Type) bool {
	if t == reflect.TypeFor[json.RawMessage]() {
		return true
	}
	t = within(t)
	return t.Kind() == reflect.String && t.PkgPath() == "" || t.Kind() == reflect.Map && t.Key().Kind() == reflect.String
}

// within is what a type points at, or is a list of.
func within(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// object is a JSON object with its keys in their order.
type object []member

type member struct {
	key   string
	value any // an object, a []any, or a value that is written as it is
}

// MarshalJSON writes the object.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

// marked is a value as JSON has it, with its keys marked.
func (m marks) marked(v any) (any, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(query.NullUnknown(body)))
	d.UseNumber()
	return m.read(d)
}

// read reads a value, and marks the keys in it.
func (m marks) read(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := object{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := m.read(d)
			if err != nil {
				return nil, err
			}
			o = append(o, member{m.keyOf(key.(string), value), value})
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := m.read(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// keyOf is a key as the answer has it.
func (m marks) keyOf(key string, value any) string {
	if strings.HasPrefix(key, mark) || key == ofTheStatement || !m.text[key] && !foreign(value, m.words[key]) {
		return key
	}
	return mark + key
}

// foreign reports whether a value has text that is not a single word, or any text where words are not allowed.
func foreign(value any, words bool) bool {
	switch v := value.(type) {
	case string:
		return !words || !oneWord.MatchString(v)
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return foreign(item, words) })
	}
	return false
}
