// Package structure measures how the module's code is built: which files of a folder use each other, the way of a message
// through functions and files, and the sizes of functions, files and method sets. Names are resolved by go/types. Test
// files are left out.
package structure

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// File is one source file that is not a test.
type File struct {
	Name      string // path in the module, with slashes
	Lines     int
	Generated bool
	Syntax    *ast.File
}

// Package is one folder's package, checked.
type Package struct {
	Path  string // in the module, such as "projector/ndjson"; "." is the module's root
	Files []*File
	Types *types.Package
	Info  *types.Info
}

// Module is all packages of a module, checked, in an order in which every package follows what it imports.
type Module struct {
	Path     string // import path, such as "example.org/module"
	Fset     *token.FileSet
	Packages []*Package
	byImport map[string]*Package
	funcs    map[*types.Func]*function
	methods  map[string][]*types.Func // methods that have a body, by name
}

// Source is the text of a module: path in the module to content. Only .go files that are not tests belong here.
type Source map[string][]byte

// ReadSource reads a module's .go files that are not tests and that this platform builds. It reads them itself, so that
// Go's test cache knows them. Folders named testdata and folders that begin with a dot are left out, and so is a folder
// with a go.mod of its own.
func ReadSource(root string) (Source, error) {
	src := Source{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enterFolder(name, rel)
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		built, err := build.Default.MatchFile(filepath.Dir(name), d.Name())
		if err != nil || !built {
			return err
		}
		src[filepath.ToSlash(rel)], err = os.ReadFile(name)
		return err
	})
	return src, err
}

func enterFolder(name, rel string) error {
	base := filepath.Base(rel)
	if base == "testdata" || rel != "." && strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && rel != "." {
		return fs.SkipDir
	}
	return nil
}

// Load parses and checks a module. modulePath is its import path, dir a folder in which the go command can find the
// packages that are not the module's. An error says which file does not parse or which package does not check.
func Load(modulePath, dir string, src Source) (*Module, error) {
	m := &Module{Path: modulePath, Fset: token.NewFileSet(), byImport: map[string]*Package{}}
	packages, err := parse(m.Fset, modulePath, src)
	if err != nil {
		return nil, err
	}
	exports, err := exportFiles(dir, foreignImports(packages))
	if err != nil {
		return nil, err
	}
	c := &checker{m: m, packages: packages}
	c.others = importer.ForCompiler(m.Fset, "gc", func(name string) (io.ReadCloser, error) {
		if exports[name] == "" {
			return nil, fmt.Errorf("no export data of %s", name)
		}
		return os.Open(exports[name])
	})
	for _, name := range sortedKeys(packages) {
		if _, err := c.Import(name); err != nil {
			return nil, err
		}
	}
	m.funcs, m.methods = functionsOf(m.Packages)
	return m, nil
}

// parse returns the packages of a module by import path, not checked yet.
func parse(fset *token.FileSet, modulePath string, src Source) (map[string]*Package, error) {
	packages := map[string]*Package{}
	for _, name := range sortedKeys(src) {
		syntax, err := parser.ParseFile(fset, name, src[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		importPath := path.Join(modulePath, path.Dir(name))
		if packages[importPath] == nil {
			packages[importPath] = &Package{Path: path.Dir(name)}
		}
		packages[importPath].Files = append(packages[importPath].Files, &File{Name: name, Generated: ast.IsGenerated(syntax),
			Lines: fset.File(syntax.FileStart).LineCount() - 1, Syntax: syntax})
	}
	return packages, nil
}

// foreignImports returns the import paths that are not the module's own.
func foreignImports(packages map[string]*Package) []string {
	seen := map[string]bool{}
	for _, p := range packages {
		for _, f := range p.Files {
			for _, spec := range f.Syntax.Imports {
				name, err := strconv.Unquote(spec.Path.Value)
				if err == nil && packages[name] == nil && name != "unsafe" {
					seen[name] = true
				}
			}
		}
	}
	return sortedKeys(seen)
}

// exportFiles asks the go command for the compiler's export data of packages and of what they import.
func exportFiles(dir string, imports []string) (map[string]string, error) {
	files := map[string]string{}
	if len(imports) == 0 {
		return files, nil
	}
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "--"}, imports...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -export: %w\n%s", err, problems.String())
	}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[name] = file
	}
	return files, nil
}

// checker checks the module's packages from their text, and takes all others from export data.
type checker struct {
	m        *Module
	packages map[string]*Package
	others   types.Importer
}

// Import returns a checked package.
func (c *checker) Import(name string) (*types.Package, error) {
	p := c.packages[name]
	switch {
	case p == nil:
		return c.others.Import(name)
	case p.Types != nil:
		return p.Types, nil
	case p.Info != nil:
		return nil, fmt.Errorf("%s imports itself", name)
	}
	p.Info = &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}, Types: map[ast.Expr]types.TypeAndValue{}}
	var syntax []*ast.File
	for _, f := range p.Files {
		syntax = append(syntax, f.Syntax)
	}
	checked, err := (&types.Config{Importer: c, Sizes: types.SizesFor("gc", build.Default.GOARCH)}).Check(name, c.m.Fset, syntax, p.Info)
	if err != nil {
		return nil, err
	}
	p.Types = checked
	c.m.byImport[name] = p
	c.m.Packages = append(c.m.Packages, p)
	return checked, nil
}

// function is a function or method that has a body.
type function struct {
	pkg  *Package
	decl *ast.FuncDecl
}

// functionsOf returns all functions that have a body, and of them the methods by name.
func functionsOf(packages []*Package) (map[*types.Func]*function, map[string][]*types.Func) {
	funcs, methods := map[*types.Func]*function{}, map[string][]*types.Func{}
	for _, p := range packages {
		for _, f := range p.Files {
			for _, d := range f.Syntax.Decls {
				decl, ok := d.(*ast.FuncDecl)
				if !ok || decl.Body == nil {
					continue
				}
				fn, ok := p.Info.Defs[decl.Name].(*types.Func)
				if !ok {
					continue
				}
				funcs[fn] = &function{p, decl}
				if decl.Recv != nil {
					methods[fn.Name()] = append(methods[fn.Name()], fn)
				}
			}
		}
	}
	return funcs, methods
}

// file returns the name of the file in which something is declared.
func (m *Module) file(pos token.Pos) string { return m.Fset.File(pos).Name() }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
