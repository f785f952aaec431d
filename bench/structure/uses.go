package structure

import (
	"go/types"
	"path"
	"slices"
	"strings"
)

// FileUses returns the arrows between a package's files: one file uses a package-level name or a method that another
// file declares. A field is no arrow; its type is.
func (m *Module) FileUses(p *Package) Graph {
	g := Graph{}
	for _, f := range p.Files {
		g.node(path.Base(f.Name))
	}
	for ident, obj := range p.Info.Uses {
		if fn, ok := obj.(*types.Func); ok {
			obj = fn.Origin()
		}
		if obj.Pkg() != p.Types || !isTopLevel(obj) {
			continue
		}
		g.add(path.Base(m.file(ident.Pos())), path.Base(m.file(obj.Pos())), objectName(obj))
	}
	for _, to := range g {
		for _, names := range to {
			slices.Sort(names)
		}
	}
	return g
}

func isTopLevel(obj types.Object) bool {
	if fn, ok := obj.(*types.Func); ok && fn.Signature().Recv() != nil {
		return true
	}
	return obj.Parent() == obj.Pkg().Scope()
}

// PackageUses returns the arrows between the module's packages: which imports which. Go allows no circle here.
func (m *Module) PackageUses() Graph {
	g := Graph{}
	for _, p := range m.Packages {
		g.node(p.Path)
		for _, imported := range p.Types.Imports() {
			if to := m.byImport[imported.Path()]; to != nil {
				g.add(p.Path, to.Path, imported.Name())
			}
		}
	}
	return g
}

// FolderUses returns the arrows between the module's top-level folders. A circle is possible here.
func (m *Module) FolderUses() Graph {
	g := Graph{}
	for from, imports := range m.PackageUses() {
		g.node(topFolder(from))
		for to := range imports {
			g.add(topFolder(from), topFolder(to), from+"→"+to)
		}
	}
	return g
}

func topFolder(packagePath string) string {
	top, _, _ := strings.Cut(packagePath, "/")
	return top
}

// objectName is a name with its receiver, such as "(*fold).apply" or "gapKey".
func objectName(obj types.Object) string {
	if fn, ok := obj.(*types.Func); ok && fn.Signature().Recv() != nil {
		return receiverName(fn) + "." + fn.Name()
	}
	return obj.Name()
}

// receiverName is a method's receiver type without its package, such as "fold"; a pointer makes no difference.
func receiverName(fn *types.Func) string {
	t := fn.Signature().Recv().Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name()
	}
	return types.TypeString(t, func(*types.Package) string { return "" })
}
