package anomaly

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// UnknownNameError says that an expression, or a key of a rule, names what does not exist.
type UnknownNameError struct {
	What  string // such as field of process
	Name  string
	Known []string
}

// Error implements error.
func (e *UnknownNameError) Error() string { return fmt.Sprintf("no %s is called %q", e.What, e.Name) }

// answer is what a condition says of a row.
type answer uint8

const (
	unknown answer = iota // a field that it names is not known
	no
	yes
)

// names are what the expressions of a rule may name.
type names struct {
	scope    string
	fields   map[string]*Field
	settings map[string]float64
}

func (n *names) all() []string {
	var all []string
	for name := range n.fields {
		all = append(all, name)
	}
	for name := range n.settings {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// expression is an expression of a rule, compiled.
type expression struct {
	source   string
	program  *vm.Program
	fields   []*Field // that it names
	optional []string // fields that may be unknown: those before ??
	settings []string
	guards   []guard
	whole    bool // the guards are all of it
	env      map[string]any
}

// compile compiles an expression. With truth it says yes or no, and otherwise it is a number.
func (n *names) compile(source string, truth bool) (*expression, error) {
	tree, err := parser.Parse(source)
	if err != nil {
		return nil, plain(err)
	}
	e := &expression{source: source, env: map[string]any{}}
	seen := &identifiers{}
	ast.Walk(&tree.Node, seen)
	sample := map[string]any{}
	for _, name := range seen.names {
		field, isField := n.fields[name]
		_, isSetting := n.settings[name]
		switch {
		case isField:
			e.fields, sample[name] = append(e.fields, field), field.zero
		case isSetting:
			e.settings, sample[name] = append(e.settings, name), 0.0
		default:
			return nil, &UnknownNameError{fmt.Sprintf("field of %s, and no setting,", n.scope), name, n.all()}
		}
	}
	e.optional = seen.optional
	kind := expr.AsFloat64()
	if truth {
		kind = expr.AsBool()
	}
	if e.program, err = expr.Compile(source, expr.Env(sample), kind); err != nil {
		return nil, plain(err)
	}
	e.guards, e.whole = n.guardsOf(tree.Node)
	return e, nil
}

// plain is an error of the library in one line.
func plain(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s", first)
}

// identifiers are the names in an expression, each once.
type identifiers struct{ names, optional []string }

// Visit implements [ast.Visitor].
func (v *identifiers) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if !slices.Contains(v.names, n.Value) {
			v.names = append(v.names, n.Value)
		}
	case *ast.BinaryNode:
		if id, ok := n.Left.(*ast.IdentifierNode); ok && n.Operator == "??" {
			v.optional = append(v.optional, id.Value)
		}
	}
}

// fill sets what the expression names to what it is for a row; it reports whether all of it is known.
func (e *expression) fill(r *row) bool {
	for _, f := range e.fields {
		v := f.get(r)
		if v == nil && !slices.Contains(e.optional, f.Name) {
			return false
		}
		e.env[f.Name] = v
	}
	for _, name := range e.settings {
		e.env[name] = r.settings[name]
	}
	return true
}

// says is what a condition says of a row.
func (e *expression) says(r *row, machine *vm.VM) answer {
	if !e.fill(r) {
		return unknown
	}
	out, err := machine.Run(e.program, e.env)
	holds, ok := out.(bool)
	switch {
	case err != nil || !ok: // a text compared with a number, or the like: it says nothing
		return unknown
	case holds:
		return yes
	}
	return no
}

// number is what an expression comes to for a row.
func (e *expression) number(r *row, machine *vm.VM) (float64, bool) {
	if e == nil || !e.fill(r) {
		return 0, false
	}
	out, err := machine.Run(e.program, e.env)
	v, ok := out.(float64)
	return v, err == nil && ok && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// guard is a part of a condition that must hold, and is cheap to look at: most rows are passed over by guards, and no expression is run for them.
// A row that a guard turns away is one of which the condition says no.
type guard struct {
	field    *Field
	op       string
	constant float64
	setting  string // in place of the constant
	other    *Field // in place of both
	text     string // in place of both, where the field is one
	isText   bool
}

// guardsOf are the guards of a condition: comparisons of a number with a constant or a setting, joined by and.
func (n *names) guardsOf(node ast.Node) (guards []guard, whole bool) {
	b, ok := node.(*ast.BinaryNode)
	if !ok {
		return nil, false
	}
	if b.Operator == "and" || b.Operator == "&&" {
		left, wholeLeft := n.guardsOf(b.Left)
		right, wholeRight := n.guardsOf(b.Right)
		return append(left, right...), wholeLeft && wholeRight
	}
	id, ok := b.Left.(*ast.IdentifierNode)
	if !ok || n.fields[id.Value] == nil || !slices.Contains([]string{">=", ">", "<=", "<", "==", "!="}, b.Operator) {
		return nil, false
	}
	g := guard{field: n.fields[id.Value], op: b.Operator}
	switch right := b.Right.(type) {
	case *ast.IntegerNode:
		g.constant = float64(right.Value)
	case *ast.FloatNode:
		g.constant = right.Value
	case *ast.StringNode:
		if g.op != "==" && g.op != "!=" {
			return nil, false
		}
		g.text, g.isText = right.Value, true
	case *ast.IdentifierNode:
		_, isSetting := n.settings[right.Value]
		if g.other = n.fields[right.Value]; g.other == nil && !isSetting {
			return nil, false
		}
		if g.other == nil {
			g.setting = right.Value
		} else if _, isNumber := g.other.zero.(float64); !isNumber {
			return nil, false
		}
	default:
		return nil, false
	}
	if _, isText := g.field.zero.(string); isText != g.isText || !isText && g.field.num == nil {
		return nil, false
	}
	return []guard{g}, true
}

// admits says whether a row may meet the condition, as far as the guard sees it.
func (g *guard) admits(r *row) answer {
	if g.isText {
		v, known := g.textOf(r)
		switch {
		case !known:
			return unknown
		case (v == g.text) == (g.op == "=="):
			return yes
		}
		return no
	}
	v, ok := g.field.num(r)
	if !ok {
		return unknown
	}
	limit := g.constant
	if g.other != nil {
		other, ok := g.other.num(r)
		if !ok {
			return unknown
		}
		limit = other
	}
	if g.setting != "" {
		limit = r.settings[g.setting]
	}
	return holds(v, g.op, limit)
}

// textOf is the text that the guard looks at.
func (g *guard) textOf(r *row) (string, bool) {
	switch id := g.field.metric; {
	case id == metric.State:
		s := schema.Letter(r.procs.Number(id, r.i).V)
		return s, s != ""
	case id != metric.Count:
		return r.procs.Text(id, r.i), true
	}
	s, ok := g.field.get(r).(string)
	return s, ok
}

func holds(v float64, op string, limit float64) answer {
	var ok bool
	switch op {
	case ">=":
		ok = v >= limit
	case ">":
		ok = v > limit
	case "<=":
		ok = v <= limit
	case "<":
		ok = v < limit
	case "==":
		ok = v == limit
	case "!=":
		ok = v != limit
	}
	if ok {
		return yes
	}
	return no
}
