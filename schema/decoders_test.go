package schema

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The decoders of docs/decoders read the golden messages as the JSON beside them has them.
func TestDecoders(t *testing.T) {
	for program, script := range map[string]string{"python3": "decode.py", "node": "decode.js"} {
		t.Run(program, func(t *testing.T) {
			if _, err := exec.LookPath(program); err != nil {
				t.Skipf("SKIPPED: %s is not installed", program)
			}
			files, err := filepath.Glob("testdata/v*/*.msgpack")
			if err != nil || len(files) < 10*len(goldenFolders) {
				t.Fatalf("%d messages, %v", len(files), err)
			}
			out, err := exec.Command(program, append([]string{filepath.Join("../docs/decoders", script)}, files...)...).Output()
			lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
			if err != nil || len(lines) != len(files) {
				t.Fatalf("%d messages decoded of %d, %v", len(lines), len(files), err)
			}
			for i, file := range files {
				want, err := os.ReadFile(strings.TrimSuffix(file, "msgpack") + "json")
				if err != nil {
					t.Fatal(err)
				}
				if got, want := saidInJSON(t, lines[i]), saidInJSON(t, want); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got\n%v, want\n%v", file, got, want)
				}
			}
		})
	}
}

// saidInJSON is a text in JSON without what says nothing: null, false and empty lists.
func saidInJSON(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return withoutEmpty(v)
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}
	case map[string]any:
		for key, of := range v {
			if list, isList := of.([]any); of == nil || of == false || isList && len(list) == 0 {
				delete(v, key)
			} else {
				v[key] = withoutEmpty(of)
			}
		}
	}
	return v
}
