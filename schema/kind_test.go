package schema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// constants are the values of the constants of a type in a file of this package.
func constants(t *testing.T, file, typeName string) (values []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typeName {
			for _, v := range spec.Values {
				s, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, s)
			}
		}
		return true
	})
	if len(values) < 5 {
		t.Fatalf("%s declares %d constants of type %s: is this the right file?", file, len(values), typeName)
	}
	return values
}

// checkListed checks that a list holds each constant once, in the order of their declaration.
func checkListed(t *testing.T, declared, listed []string) {
	t.Helper()
	for i := range max(len(declared), len(listed)) {
		if i >= len(declared) || i >= len(listed) || declared[i] != listed[i] {
			t.Fatalf("declared %q, listed %q: they part at %d", declared, listed, i)
		}
	}
}

// Whoever declares a kind or a capability describes it.
func TestKinds_AreAllDescribed(t *testing.T) {
	var listed []string
	for _, k := range Kinds() {
		listed = append(listed, string(k.Kind))
		if k.Body == 0 || k.Doc == "" || k.EventType != "" && k.Body != BodyEvents {
			t.Errorf("%s: described as %+v", k.Kind, k)
		}
	}
	checkListed(t, constants(t, "kind.go", "Kind"), listed)
}

func TestCapabilities_AreAllDescribed(t *testing.T) {
	var listed []string
	for _, c := range Capabilities() {
		listed = append(listed, string(c.Capability))
		info, known := c.Capability.Info()
		if !known || info != c || c.Doc == "" || c.SeesAll && !c.Source {
			t.Errorf("%s: described as %+v, known %t", c.Capability, c, known)
		}
	}
	checkListed(t, constants(t, "capability.go", "Capability"), listed)
	if _, known := Capability("flight").Info(); known {
		t.Error("a capability that does not exist is known")
	}
}

// The table process_events has five event types, and existing readers stop at a sixth.
func TestKinds_EventTypes(t *testing.T) {
	if len(EventKinds) != 5 || KindExec.EventType() != "" || !KindExec.IsExec() || !KindExec.IsEvent() {
		t.Errorf("got event types %v; exec: %q, %t, %t", EventKinds, KindExec.EventType(), KindExec.IsExec(), KindExec.IsEvent())
	}
	for _, k := range Kinds() {
		if want := k.EventType != "" || k.Kind == KindExec; k.Kind.IsEvent() != want {
			t.Errorf("%s: IsEvent %t, want %t", k.Kind, !want, want)
		}
	}
	if k := Kind("event.stop"); k.Body() != 0 || k.IsEvent() || k.IsExec() || k.EventType() != "" {
		t.Errorf("a kind that does not exist: %d, %q", k.Body(), k.EventType())
	}
}
