package main

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/proctape/proctape/schema/filecheck"
)

// configHint says what a file of settings is.
const configHint = "a file of settings is YAML with lines of flag: value, for example interval: 2s"

// maxConfigSize is more than a file of settings has, in bytes.
const maxConfigSize = 1 << 20

// readConfig reads a file of settings. A value is any YAML scalar, or a list of them for a flag that may be repeated.
// where is what named the path.
func readConfig(where, path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	b, err := filecheck.ReadOurs(path, maxConfigSize)
	if err != nil {
		return nil, hinted(fmt.Errorf("%s: %w", where, err), configHint)
	}
	values, err := parseConfig(b)
	if err != nil {
		return nil, hinted(misuse("read %s: %w", path, err), configHint)
	}
	file := map[string]string{}
	for name, v := range values {
		text, ok := settingText(v)
		if !ok {
			return nil, hinted(misuse("%s in %s is neither a value nor a list of values", name, path), configHint)
		}
		file[strings.ReplaceAll(name, "_", "-")] = text
	}
	return file, nil
}

// parseConfig reads the lines of a file of settings. Its errors have one line.
func parseConfig(b []byte) (map[string]any, error) {
	var doc any
	err := yaml.Unmarshal(b, &doc)
	var twice *yaml.TypeError // in a document of any kind only a name that comes twice
	if errors.As(err, &twice) {
		return nil, errors.New(strings.Join(twice.Errors, "; "))
	} else if err != nil {
		return nil, err
	}
	values, ok := doc.(map[string]any)
	if !ok && doc != nil {
		return nil, errors.New("it has no settings")
	}
	return values, nil
}

// settingText is a value of a file of settings as a flag reads it.
func settingText(v any) (string, bool) {
	switch v := v.(type) {
	case nil, map[string]any, map[any]any:
		return "", false
	case []any:
		words := make([]string, len(v))
		for i := range v {
			var ok bool
			if words[i], ok = settingText(v[i]); !ok {
				return "", false
			}
		}
		return strings.Join(words, ","), true
	}
	return fmt.Sprint(v), true
}
