package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// bill is a bill of materials in the form of CycloneDX: what it has to have.
type bill struct {
	BOMFormat, SpecVersion string
	Metadata               struct{ Component billComponent }
	Components             []billComponent
}

type billComponent struct {
	Type    string
	Ref     string `json:"bom-ref"`
	Name    string
	Version string
	PURL    string
	Hashes  []struct{ Alg, Content string }
}

// billText makes the bill of a program, by the tool that releases use.
func billText(t *testing.T, program string) []byte {
	t.Helper()
	return must(exec.Command("go", "run", "../deploy/packages/sbom", program, "v1.0.0").Output())(t)
}

// billOf is the bill of a program, read.
func billOf(t *testing.T, program string) (b bill) {
	t.Helper()
	if err := json.Unmarshal(billText(t, program), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

var purlPattern = regexp.MustCompile(`^pkg:golang/[a-zA-Z0-9._/~-]+@[a-zA-Z0-9.%-]+$`)

// wrongOfBill says what a bill has otherwise than a program that "go version -m" lists.
func wrongOfBill(b bill, listed []byte) (wrong []string) {
	if b.BOMFormat != "CycloneDX" || b.SpecVersion != "1.6" || b.Metadata.Component.Name != "proctape" || b.Metadata.Component.Version != "v1.0.0" {
		wrong = append(wrong, fmt.Sprintf("its head is %+v", b))
	}
	modules, refs := map[string]bool{}, map[string]bool{}
	for _, c := range b.Components {
		modules[c.Name+" "+c.Version] = true
		if refs[c.Ref] || c.Type != "library" || !purlPattern.MatchString(c.PURL) {
			wrong = append(wrong, fmt.Sprintf("a component %+v", c))
		}
		refs[c.Ref] = true
	}
	deps := 0
	for line := range bytes.Lines(listed) {
		if f := strings.Fields(string(line)); len(f) >= 3 && f[0] == "dep" {
			deps++
			if !modules[f[1]+" "+f[2]] {
				wrong = append(wrong, f[1]+" "+f[2]+" is missing")
			}
		}
	}
	if deps < 10 || len(b.Components) != deps+1 { // and the standard library
		wrong = append(wrong, fmt.Sprintf("%d components, of %d modules", len(b.Components), deps))
	}
	return wrong
}

// TestPackages_BillIsWhole compares the bill of materials with what another tool says of the program.
func TestPackages_BillIsWhole(t *testing.T) {
	long(t)
	t.Parallel()
	b, listed := billOf(t, proctape), must(exec.Command("go", "version", "-m", proctape).Output())(t)
	if wrong := wrongOfBill(b, listed); wrong != nil {
		t.Error(strings.Join(wrong, "\n"))
	}
	sum, _, _ := strings.Cut(string(must(exec.Command("sha256sum", proctape).Output())(t)), " ")
	if h := b.Metadata.Component.Hashes; len(h) != 1 || h[0].Content != sum || b.Metadata.Component.Ref != filepath.Base(proctape) {
		t.Errorf("it is of a program with the sum %v, want %s", h, sum)
	}
	// The control: a bill in which a library is left out.
	b.Components = b.Components[1:]
	if wrongOfBill(b, listed) == nil {
		t.Error("a bill that lacks a library passes")
	}
}

// TestPackages_BillFitsTheSchema holds the bill against the schema that CycloneDX publishes. The controls: bills in which a word is none of the schema's, a field has another
// type, or one is missing that has to be there.
func TestPackages_BillFitsTheSchema(t *testing.T) {
	long(t)
	t.Parallel()
	fits := func(text []byte) error {
		cmd := exec.Command("go", "run", "-C", "../deploy/tools", "./bill")
		cmd.Stdin = bytes.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	text := billText(t, proctape)
	if err := fits(text); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][2]string{{`"type": "library"`, `"type": "libary"`}, {`"version": 1,`, `"version": "1",`}, {`"alg": "SHA-256",`, ``}} {
		changed := bytes.Replace(text, []byte(wrong[0]), []byte(wrong[1]), 1)
		if bytes.Equal(changed, text) || fits(changed) == nil {
			t.Errorf("a bill with %q in place of %q passes", wrong[1], wrong[0])
		}
	}
}
