package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	xterm "golang.org/x/term"

	"github.com/proctape/proctape/query/term"
)

const (
	heldRows    = 100 // rows by which the widths of the columns are chosen
	columnSpace = 2
	leastText   = 8  // cells to which a column of text may shrink
	longCell    = 26 // above which a column may shrink though nobody said that it is text
)

// table writes rows in aligned columns. It chooses the widths by its first rows and writes the others as they come. On a terminal
// no row is wider than the screen: columns that matter less are left out, and text is shortened.
type table struct {
	w       io.Writer
	lead    string // blank lines before it
	columns []tableColumn
	width   int // of the terminal; 0 for no limit
	held    [][]string
	marked  []bool // of held: rows to mark
	widths  []int  // nil before the first rows are written; -1 for a column that is left out
}

// tableColumn is how a column stands in a table.
type tableColumn struct {
	head  string
	right bool // numbers
	text  bool // it may be shortened
	drop  int  // the highest is left out first where there is too little room; 0 never
}

// newTable makes a table with a head of tab-separated columns.
func newTable(w io.Writer, head string) *table {
	t := &table{w: w, width: terminalWidth(w)}
	for strings.HasPrefix(head, "\n") {
		t.lead, head = t.lead+"\n", head[1:]
	}
	for _, h := range strings.Split(head, "\t") {
		t.columns = append(t.columns, tableColumn{head: h})
	}
	t.columns[len(t.columns)-1].text = true
	return t
}

// leaving says which columns are left out where there is too little room, by their heads, the first first.
func (t *table) leaving(heads ...string) *table {
	for i, head := range heads {
		for c := range t.columns {
			if t.columns[c].head == head {
				t.columns[c].drop = len(heads) - i
			}
		}
	}
	return t
}

// row adds a row, which the format makes with its columns separated by tabs.
func (t *table) row(format string, args ...any) {
	_ = t.add(strings.Split(fmt.Sprintf(format, args...), "\t"), false) // flush says what went wrong
}

// add adds a row of cells. A marked one is coloured where there are colours.
func (t *table) add(cells []string, marked bool) error {
	for i := range cells {
		cells[i] = term.Safe(cells[i])
	}
	if t.widths != nil {
		return t.write(cells, marked)
	}
	t.held, t.marked = append(t.held, cells), append(t.marked, marked)
	if len(t.held) < heldRows {
		return nil
	}
	return t.flush()
}

// flush writes the rows that are held, and what comes after them at once.
func (t *table) flush() error {
	if t.widths != nil {
		return nil
	}
	t.widths = t.layout()
	heads := make([]string, len(t.columns))
	for i, c := range t.columns {
		heads[i] = c.head
	}
	if _, err := io.WriteString(t.w, t.lead); err != nil {
		return err
	}
	if err := t.write(heads, false); err != nil {
		return err
	}
	for i, cells := range t.held {
		if err := t.write(cells, t.marked[i]); err != nil {
			return err
		}
	}
	t.held, t.marked = nil, nil
	return nil
}

// layout chooses the widths of the columns.
func (t *table) layout() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = term.Width(c.head)
		for _, cells := range t.held {
			widths[i] = max(widths[i], term.Width(cells[i]))
		}
	}
	if t.width == 0 {
		return widths
	}
	least := make([]int, len(widths))
	for i, c := range t.columns {
		least[i] = widths[i]
		if c.text || c.drop == 0 && widths[i] > longCell {
			least[i] = min(widths[i], leastText)
		}
	}
	for total(least, widths) > t.width {
		last := -1
		for i, c := range t.columns {
			if widths[i] >= 0 && c.drop > 0 && (last < 0 || c.drop >= t.columns[last].drop) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		widths[last] = -1
	}
	for total(widths, widths) > t.width {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// total is how many cells a row takes with columns of such widths, of those that are not left out.
func total(of, widths []int) (cells int) {
	for i := range widths {
		if widths[i] >= 0 {
			cells += of[i] + columnSpace
		}
	}
	return cells - columnSpace
}

// write writes a row.
func (t *table) write(cells []string, marked bool) error {
	var b strings.Builder
	for i, cell := range cells {
		if t.widths[i] < 0 {
			continue
		}
		if t.width > 0 {
			cell = term.Fit(cell, t.widths[i])
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat(" ", columnSpace))
		}
		b.WriteString(term.Pad(cell, t.widths[i], t.columns[i].right))
	}
	line := strings.TrimRight(b.String(), " ") + "\n"
	if marked && hasColours(t.w) {
		return writeSteering(t.w, "\x1b[31m"+strings.TrimSuffix(line, "\n")+"\x1b[m\n")
	}
	_, err := io.WriteString(t.w, line)
	return err
}

// say writes a line of text, on a terminal in as many lines as it needs.
func say(w io.Writer, format string, args ...any) error {
	for _, line := range term.Wrap(term.Safe(fmt.Sprintf(format, args...)), terminalWidth(w)) {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// sayFitted writes a line of text, on a terminal shortened to one line.
func sayFitted(w io.Writer, format string, args ...any) error {
	line := term.Safe(fmt.Sprintf(format, args...))
	if width := terminalWidth(w); width > 0 {
		line = term.Fit(line, width)
	}
	_, err := io.WriteString(w, line+"\n")
	return err
}

// writeSteering writes safe text of our own that steers the terminal.
func writeSteering(w io.Writer, text string) error {
	o, ok := w.(*output)
	if !ok {
		return errors.New("no terminal")
	}
	_, err := o.note(io.WriteString(o.w, text))
	return err
}

// hasColours reports whether what is written to w may be coloured: on a terminal, unless NO_COLOR says no (no-color.org).
func hasColours(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// terminalWidth is how many cells a row may take: the screen's, or what COLUMNS says; 0 for no limit, as in a pipe.
func terminalWidth(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	f, ok := screen(w).(*os.File)
	if !ok || !xterm.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := xterm.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}
