package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
)

// control is a variant of the program with one fault, which a test must catch. All controls are one build, since to build is most of
// what a control costs: the name of the folder that the program is called from says which of them it is.
type control struct {
	name  string
	file  string
	edits []string
}

// controls are all that are described.
var controls []control

// withFault describes a control. Its edits are pairs of what is in a file and what is put in its place; there, runsAs("NAME") reports
// whether the program is this control.
func withFault(name, file string, edits ...string) control {
	c := control{name, filepath.Join("..", file), edits}
	controls = append(controls, c)
	return c
}

// program is the control's program.
func (c control) program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: the controls are a build of their own, which make test makes")
	}
	dir, err := buildControls()
	if err != nil {
		t.Fatalf("the controls: %v", err)
	}
	return filepath.Join(dir, c.name, filepath.Base(proctape))
}

// buildControls builds the controls beside the program, once, and returns their folder.
var buildControls = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(filepath.Dir(proctape), "controls")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	overlay, err := overlayOfFaults(dir)
	if err != nil {
		return "", err
	}
	built := filepath.Join(dir, "proctape")
	if err := buildProgram(built, "-overlay", overlay); err != nil {
		return "", err
	}
	for _, c := range controls {
		own := filepath.Join(dir, c.name)
		if err := errors.Join(os.Mkdir(own, 0o700), os.Link(built, filepath.Join(own, "proctape"))); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// runsAs is what each package with a fault gets.
const runsAs = `package %s

import (
	"os"
	"path/filepath"
)

var ranAs = filepath.Base(filepath.Dir(os.Args[0]))

func runsAs(control string) bool { return ranAs == control }
`

// overlayOfFaults writes what go build puts in place of the program's files into a folder, and the list of it, whose path it returns.
func overlayOfFaults(dir string) (string, error) {
	sources, problems := map[string][]byte{}, []error(nil)
	for _, c := range controls {
		source, ok := sources[c.file]
		if !ok {
			read, err := os.ReadFile(c.file)
			problems, source = append(problems, err), read
		}
		for edit := range slices.Chunk(c.edits, 2) {
			if bytes.Count(source, []byte(edit[0])) != 1 {
				problems = append(problems, fmt.Errorf("%s does not hold %q once: the control %s has to follow the code", c.file, edit[0], c.name))
			}
			source = bytes.Replace(source, []byte(edit[0]), []byte(edit[1]), 1)
		}
		sources[c.file] = source
	}
	for file, source := range sources {
		if name := regexp.MustCompile(`(?m)^package (\w+)$`).FindSubmatch(source); name != nil {
			sources[filepath.Join(filepath.Dir(file), "runs_as.go")] = fmt.Appendf(nil, runsAs, name[1])
		}
	}
	replace := map[string]string{}
	for file, source := range sources {
		path, err := filepath.Abs(file)
		changed := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		replace[path] = changed
		problems = append(problems, err, os.WriteFile(changed, source, 0o600))
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Join(append(problems, err, os.WriteFile(path, list, 0o600))...)
}
