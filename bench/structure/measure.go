package structure

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// Count is a named thing and a number of it.
type Count struct {
	Name string
	N    int
}

// byCount sorts the largest first.
func byCount(counts []Count) []Count {
	slices.SortFunc(counts, func(a, b Count) int {
		if a.N != b.N {
			return b.N - a.N
		}
		return strings.Compare(a.Name, b.Name)
	})
	return counts
}

// Receivers returns how many methods each type has, the most first. Generated files do not count.
func (m *Module) Receivers() []Count {
	n := map[string]int{}
	for fn, f := range m.funcs {
		if f.decl.Recv != nil && !m.isGenerated(f) {
			n[f.pkg.Path+"."+receiverName(fn)]++
		}
	}
	return counted(n)
}

// FunctionLines returns how many lines each function has, from the line of func to that of its last brace, the longest
// first. Generated files do not count.
func (m *Module) FunctionLines() []Count {
	n := map[string]int{}
	for fn, f := range m.funcs {
		if !m.isGenerated(f) {
			n[m.functionPath(fn)] = m.line(f.decl.End()) - m.line(f.decl.Pos()) + 1
		}
	}
	return counted(n)
}

func counted(n map[string]int) []Count {
	var counts []Count
	for name, count := range n {
		counts = append(counts, Count{name, count})
	}
	return byCount(counts)
}

func (m *Module) line(pos token.Pos) int { return m.Fset.Position(pos).Line }

func (m *Module) isGenerated(f *function) bool {
	name := m.file(f.decl.Pos())
	return slices.ContainsFunc(f.pkg.Files, func(file *File) bool { return file.Name == name && file.Generated })
}

// LongFiles returns the files of more lines than limit, the longest first. Generated files do not count.
func (m *Module) LongFiles(limit int) []Count {
	var long []Count
	for _, p := range m.Packages {
		for _, f := range p.Files {
			if f.Lines > limit && !f.Generated {
				long = append(long, Count{f.Name, f.Lines})
			}
		}
	}
	return byCount(long)
}

// Undocumented returns the exported functions, methods of exported types, types, constants and variables that have no
// comment, as "file:line name". The comment of a group of constants or variables counts for all of them, and a comment
// behind a name on its line counts too. Package main has nothing exported, and the methods of the standard library's
// interfaces (Error, Unwrap, String) need no comment.
func (m *Module) Undocumented() []string {
	var found []string
	for _, p := range m.Packages {
		if p.Types.Name() == "main" {
			continue
		}
		for _, f := range p.Files {
			for _, name := range undocumented(f.Syntax) {
				found = append(found, fmt.Sprintf("%s:%d %s", f.Name, m.line(name.Pos()), name.Name))
			}
		}
	}
	slices.Sort(found)
	return found
}

func undocumented(f *ast.File) []*ast.Ident {
	var found []*ast.Ident
	note := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(d *ast.CommentGroup) bool { return strings.TrimSpace(d.Text()) != "" }) {
			found = append(found, name)
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiverIsExported(d.Recv) && !isStandard(d.Name.Name) {
				note(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					note(spec.Name, d.Doc, spec.Doc, spec.Comment)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						note(name, d.Doc, spec.Doc, spec.Comment)
					}
				}
			}
		}
	}
	return found
}

func isStandard(method string) bool {
	return method == "Error" || method == "Unwrap" || method == "String"
}

func receiverIsExported(recv *ast.FieldList) bool {
	exported := false
	ast.Inspect(recv.List[0].Type, func(n ast.Node) bool {
		if ident, ok := n.(*ast.Ident); ok {
			exported = ident.IsExported()
			return false
		}
		return true
	})
	return exported
}

// Rename is a declared name that was given up, and the word that took its place. Package is a path in the module; with
// "/..." at its end it stands for the packages below it too, and "*" is any.
type Rename struct {
	Package, Old, New string
}

func (r Rename) appliesTo(packagePath string) bool {
	above, below := strings.CutSuffix(r.Package, "/...")
	return r.Package == "*" || above == packagePath || below && strings.HasPrefix(packagePath, above+"/")
}

// ReadRenames reads "package Old New" a line. A line that begins with # is a comment.
func ReadRenames(text []byte) ([]Rename, error) {
	var renames []Rename
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) != 3 {
			return nil, fmt.Errorf("%q is not a package, an old and a new name", line)
		}
		renames = append(renames, Rename{words[0], words[1], words[2]})
	}
	return renames, lines.Err()
}

// OldNames returns where a name that was given up is still declared, as "file:line old: new is the word". An old name with
// a dot, such as "hearing.take", is a method of that type; one without is a package-level name, a method or a field.
func (m *Module) OldNames(renames []Rename) []string {
	var found []string
	for _, p := range m.Packages {
		old := map[string]string{}
		for _, r := range renames {
			if r.appliesTo(p.Path) {
				old[r.Old] = r.New
			}
		}
		for ident, obj := range p.Info.Defs {
			if obj == nil || obj.Pkg() == nil || !isTopLevel(obj) && !isField(obj) {
				continue
			}
			for _, name := range []string{ident.Name, objectName(obj)} {
				if word := old[name]; word != "" {
					found = append(found, fmt.Sprintf("%s:%d %s: %s is the word", m.file(ident.Pos()), m.line(ident.Pos()), name, word))
					break
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func isField(obj types.Object) bool {
	v, ok := obj.(*types.Var)
	return ok && v.IsField()
}

// PackageOf returns the module's package at a path, or nil.
func (m *Module) PackageOf(packagePath string) *Package {
	return m.byImport[path.Join(m.Path, packagePath)]
}
