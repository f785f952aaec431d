// Bill checks a bill of materials, from standard input, by the schema that CycloneDX publishes, as their own library carries it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/jsonschema-go/jsonschema"
)

// schemas is the folder of CycloneDX' library that holds the schemas.
func schemas() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		return "", fmt.Errorf("find the library: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "schema"), nil
}

// load reads a schema by the name under which another refers to it.
func load(dir, name string) (*jsonschema.Schema, error) {
	files, err := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(path.Base(name), ".schema.json")+".schema*.json"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("find %s in %s: %d files, %w", name, dir, len(files), err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	s := new(jsonschema.Schema)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", files[0], err)
	}
	return s, nil
}

func check(text []byte) error {
	bom := new(cyclonedx.BOM)
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(bom); err != nil {
		return fmt.Errorf("CycloneDX' library does not read it: %w", err)
	}
	dir, err := schemas()
	if err != nil {
		return err
	}
	schema, err := load(dir, "bom-"+bom.SpecVersion.String()+".schema.json")
	if err != nil {
		return err
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{BaseURI: "http://cyclonedx.org/schema/", Loader: func(uri *url.URL) (*jsonschema.Schema, error) { return load(dir, uri.Path) }})
	if err != nil {
		return fmt.Errorf("the schema: %w", err)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return resolved.Validate(value)
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = check(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bill:", err)
		os.Exit(1)
	}
}
