package anomaly

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed builtin.yaml
var builtIn []byte

// BuiltIn are the rules that need no file.
func BuiltIn() []Rule {
	rules, err := addRules(nil, "builtin.yaml", builtIn)
	if err != nil {
		panic(err) // a test reads it
	}
	for i := range rules {
		rules[i].BuiltIn = true
	}
	return rules
}

// ReadRules returns the built-in rules and those of a file, or of the *.yaml and *.yml of a folder by name. A rule of the name of an earlier one
// changes what it gives of that, and leaves the others: so thresholds of a built-in are set. An empty path adds nothing.
func ReadRules(path string) ([]Rule, error) {
	rules := BuiltIn()
	if path == "" {
		return rules, nil
	}
	files, err := ruleFiles(path)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if rules, err = addRules(rules, file, b); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

func ruleFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries { // by name
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, &fs.PathError{Op: "read rules", Path: path, Err: errors.New("it has no *.yaml")}
	}
	return files, nil
}

// addRules adds the rules of a file to others, or changes those.
func addRules(rules []Rule, file string, text []byte) ([]Rule, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(document.Content) == 0 { // empty
		return rules, nil
	}
	top := document.Content[0]
	list := mappingValue(top, "rules")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s:%d: want a list under the key rules", file, top.Line)
	}
	rules = slices.Clone(rules)
	for _, node := range list.Content {
		var err error
		if rules, err = addRule(rules, node); err != nil {
			return nil, fmt.Errorf("%s:%w", file, err)
		}
	}
	return rules, nil
}

// addRule adds one rule, or changes the one of its name.
func addRule(rules []Rule, node *yaml.Node) ([]Rule, error) {
	if err := checkKeys(node, reflect.TypeFor[Rule](), "a rule"); err != nil {
		return nil, err
	}
	name := mappingValue(node, "name")
	if name == nil {
		return nil, fmt.Errorf("%d: a rule without a name", node.Line)
	}
	at := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == name.Value })
	rule := Rule{}
	if at >= 0 {
		rule = rules[at]
		rule.Settings, rule.Labels, rule.Jobs = maps.Clone(rule.Settings), maps.Clone(rule.Labels), maps.Clone(rule.Jobs) // decoding adds to maps
	}
	if err := node.Decode(&rule); err != nil {
		return nil, fmt.Errorf("%d: rule %q: %s", node.Line, name.Value, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	if at >= 0 {
		rules[at] = rule
		return rules, nil
	}
	return append(rules, rule), nil
}

// mappingValue is the value of a key; nil when there is none.
func mappingValue(node *yaml.Node, key string) *yaml.Node {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// checkKeys refuses keys that no field has, in a mapping and in those below it.
func checkKeys(node *yaml.Node, of reflect.Type, what string) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("%d: want keys and values for %s", node.Line, what)
	}
	fields := map[string]reflect.StructField{}
	for f := range of.Fields() {
		if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "-" {
			fields[key] = f
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := fields[key.Value]
		if !ok {
			return fmt.Errorf("%d: %w", key.Line, &UnknownNameError{"key of " + what, key.Value, slices.Sorted(maps.Keys(fields))})
		}
		var err error
		switch {
		case field.Type == reflect.TypeFor[[]Escalation]() && value.Kind == yaml.SequenceNode:
			for _, one := range value.Content {
				err = errors.Join(err, checkKeys(one, reflect.TypeFor[Escalation](), key.Value))
			}
		case field.Type == reflect.TypeFor[map[string]Override]() && value.Kind == yaml.MappingNode:
			for j := 1; j < len(value.Content); j += 2 {
				err = errors.Join(err, checkKeys(value.Content[j], reflect.TypeFor[Override](), key.Value))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
