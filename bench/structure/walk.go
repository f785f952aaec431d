package structure

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"
)

// Step is a function that the way enters.
type Step struct {
	Name    string // such as "projector.fold.apply"
	File    string // path in the module
	Depth   int    // of calls, 0 at the start
	Stop    bool   // the reader turns to this file from another one, or starts here
	Returns bool   // a stop in a file that the reader was in before
}

// Way is the functions that a message passes through, in the order in which a reader meets them.
type Way []Step

// Stops returns how often the reader turns to another file, the start included. It is Files plus Returns.
func (w Way) Stops() int { return w.count(func(s Step) bool { return s.Stop }) }

// Returns returns how many stops are in a file that the reader was in before.
func (w Way) Returns() int { return w.count(func(s Step) bool { return s.Returns }) }

// Files returns how many files the way touches.
func (w Way) Files() int { return w.Stops() - w.Returns() }

func (w Way) count(which func(Step) bool) int {
	n := 0
	for _, s := range w {
		if which(s) {
			n++
		}
	}
	return n
}

// Walk follows a message through the module, as somebody does who reads the code.
//
// It starts in the function named start ("projector.session.commit": the package's path in the module, the receiver if
// there is one, the function), whose parameter param holds the message. It goes through the body in source order, and
// enters each function of the module that is given the message, depth first, and each function once. Given means: an
// argument of the call, or what the method is called on, mentions the message or something derived from it. Derived is a
// variable that was declared or assigned from an expression that mentions the message or something derived: this is
// followed inside a function and into the parameters of the functions it enters, not through fields of something else.
// A number, a text or an error that was read out of the message is no longer the message: who is given that alone is not
// entered. A function literal is read where it stands. The way ends at an interface: what is behind it is another
// part's business. A call of a function's value is not followed either.
//
// A function entered is a step. A step in another file than the step before it is a stop. A stop in a file that was
// visited before is a return. Going back to a caller is none of them until the caller leads to another function.
func (m *Module) Walk(start, param string) (Way, error) {
	fn := m.lookUp(start)
	if fn == nil {
		return nil, fmt.Errorf("the module has no function %s", start)
	}
	w := &walker{m: m, entered: map[*types.Func]bool{}, visited: map[string]bool{}}
	given := map[types.Object]bool{}
	for p := range fn.Signature().Params().Variables() {
		if p.Name() == param {
			given[p] = true
		}
	}
	if len(given) == 0 {
		return nil, fmt.Errorf("%s has no parameter %s", start, param)
	}
	w.enter(fn, given, 0)
	return w.way, nil
}

// lookUp finds a function by package, receiver and name.
func (m *Module) lookUp(name string) *types.Func {
	for fn := range m.funcs {
		if m.functionPath(fn) == name {
			return fn
		}
	}
	return nil
}

func (m *Module) functionPath(fn *types.Func) string {
	return strings.TrimPrefix(fn.Pkg().Path(), m.Path+"/") + "." + objectName(fn)
}

type walker struct {
	m       *Module
	entered map[*types.Func]bool
	visited map[string]bool
	last    string
	way     Way
}

// enter adds a step and follows the calls of the function's body. given is what of the message it is passed.
func (w *walker) enter(fn *types.Func, given map[types.Object]bool, depth int) {
	if w.entered[fn] {
		return
	}
	w.entered[fn] = true
	f := w.m.funcs[fn]
	file := w.m.file(f.decl.Pos())
	w.way = append(w.way, Step{Name: w.m.functionPath(fn), File: file, Depth: depth, Stop: file != w.last,
		Returns: file != w.last && w.visited[file]})
	w.visited[file], w.last = true, file

	b := &body{w: w, info: f.pkg.Info, derived: given, depth: depth}
	for grown := true; grown; {
		before := len(b.derived)
		ast.Inspect(f.decl.Body, b.derive)
		grown = len(b.derived) > before
	}
	b.calls(f.decl.Body)
}

// body is a function's body while it is read.
type body struct {
	w       *walker
	info    *types.Info
	derived map[types.Object]bool
	depth   int
}

// derive marks the variables that a statement sets from the message.
func (b *body) derive(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			right := n.Rhs[0]
			if len(n.Rhs) == len(n.Lhs) {
				right = n.Rhs[i]
			}
			if b.mentions(right) {
				b.mark(left)
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if len(n.Values) > 0 && b.mentions(n.Values[min(i, len(n.Values)-1)]) {
				b.mark(name)
			}
		}
	case *ast.RangeStmt:
		if b.mentions(n.X) {
			b.mark(n.Key)
			b.mark(n.Value)
		}
	}
	return true
}

func (b *body) mark(e ast.Expr) {
	ident, ok := e.(*ast.Ident)
	if !ok || ident.Name == "_" {
		return
	}
	obj := b.info.Defs[ident]
	if obj == nil {
		obj = b.info.Uses[ident]
	}
	if obj != nil && !isPlain(obj.Type()) {
		b.derived[obj] = true
	}
}

// isPlain reports whether a type is a number, a text, an error, or one of them that may be unknown.
func isPlain(t types.Type) bool {
	if named, ok := types.Unalias(t).(*types.Named); ok && named.TypeArgs().Len() == 1 {
		return isPlain(named.TypeArgs().At(0)) // schema.Opt
	}
	if ptr, ok := t.Underlying().(*types.Pointer); ok {
		named, ok := types.Unalias(ptr.Elem()).(*types.Named)
		return ok && named.TypeArgs().Len() == 1 && isPlain(named)
	}
	_, basic := t.Underlying().(*types.Basic)
	return basic || types.Identical(t, types.Universe.Lookup("error").Type())
}

// mentions says whether an expression names something derived.
func (b *body) mentions(e ast.Expr) bool {
	found := false
	ast.Inspect(e, func(n ast.Node) bool {
		if ident, ok := n.(*ast.Ident); ok && b.derived[b.info.Uses[ident]] {
			found = true
		}
		return !found
	})
	return found
}

// calls enters what the calls in a piece of code are given the message by: arguments first, then the function, then the
// function literals among the arguments.
func (b *body) calls(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		b.call(call)
		return false
	})
}

func (b *body) call(call *ast.CallExpr) {
	b.calls(call.Fun)
	var literals []ast.Node
	for _, arg := range call.Args {
		if lit, ok := arg.(*ast.FuncLit); ok {
			literals = append(literals, lit)
			continue
		}
		b.calls(arg)
	}
	if fn := b.callee(call); fn != nil {
		if given := b.given(call, fn); len(given) > 0 {
			b.w.enter(fn, given, b.depth+1)
		}
	}
	for _, lit := range literals {
		b.calls(lit)
	}
}

// callee returns the function of the module that a call enters, or nil.
func (b *body) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	if index, ok := fun.(*ast.IndexExpr); ok { // of type parameters
		fun = index.X
	}
	var ident *ast.Ident
	switch fun := fun.(type) {
	case *ast.Ident:
		ident = fun
	case *ast.SelectorExpr:
		ident = fun.Sel
	default:
		return nil
	}
	fn, ok := b.info.Uses[ident].(*types.Func)
	if !ok {
		return nil
	}
	fn = fn.Origin()
	if b.w.m.funcs[fn] == nil {
		return nil
	}
	return fn
}

// given returns the callee's parameters, its receiver among them, for which a call passes the message or something derived.
func (b *body) given(call *ast.CallExpr, fn *types.Func) map[types.Object]bool {
	given := map[types.Object]bool{}
	sig := fn.Signature()
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && sig.Recv() != nil && b.mentions(sel.X) && !isPlain(b.info.TypeOf(sel.X)) {
		given[sig.Recv()] = true
	}
	for i, arg := range call.Args {
		if n := sig.Params().Len(); n > 0 && b.mentions(arg) && !isPlain(b.info.TypeOf(arg)) {
			given[sig.Params().At(min(i, n-1))] = true
		}
	}
	return given
}

// String returns the way as text, a step a line. → marks a stop, ↩ a return.
func (w Way) String() string {
	var out strings.Builder
	for i, s := range w {
		mark := " "
		switch {
		case s.Returns:
			mark = "↩"
		case s.Stop:
			mark = "→"
		}
		fmt.Fprintf(&out, "%4d %s %-36s %s%s\n", i+1, mark, s.File, strings.Repeat("  ", s.Depth), s.Name)
	}
	return out.String()
}
