package top

import "fmt"

// role is what a piece of text means. How a role looks depends on the terminal.
type role uint8

const (
	plain    role = iota
	faint         // it matters less, or is not known for sure
	accent        // names, and what can be done
	good          // it is well
	warn          // an anomaly, or 80 % of a limit
	bad           // failed, a signal, or 95 % of a limit
	critical      // an anomaly of the worst kind
	oom           // killed for memory
	gap           // not recorded
	selected      // the row on which the cursor is
	heading       // of a table
	roles
)

// Palette says how roles look: the parameters of the terminal's SGR sequence for each (ECMA-48, 8.3.117).
type Palette [roles]string

// Depth is how many colours a terminal has.
type Depth int

// The depths of colour.
const (
	NoColour Depth = iota
	Colours16
	Colours256
	TrueColour
)

// shades are the colours of a role: with 16 colours, with 256, and as red, green and blue.
type shades struct {
	basic, indexed, rgb string
}

// The colours, for dark and for light backgrounds. Each has a contrast of 4.5 at least on black, #1e1e1e, and on white, #fdf6e3.
var darkShades, lightShades = [roles]shades{
	faint:    {"2", "246", "a3acb9"},
	accent:   {"34;1", "75", "7cb8ff"},
	good:     {"32", "77", "5cc97a"},
	warn:     {"33", "214", "f0c04a"},
	bad:      {"31", "203", "ff8678"},
	critical: {"31;1", "203", "ff8678"},
	oom:      {"35;1", "212", "ff7ac0"},
	gap:      {"2", "246", "a3acb9"},
}, [roles]shades{
	faint:    {"2", "242", "565e69"},
	accent:   {"34;1", "25", "0a58b0"},
	good:     {"32", "22", "1a7433"},
	warn:     {"33", "94", "7a5200"},
	bad:      {"31", "124", "b42318"},
	critical: {"31;1", "124", "b42318"},
	oom:      {"35;1", "126", "a3005c"},
	gap:      {"2", "242", "565e69"},
}

// NewPalette returns the palette of a terminal. Without colours only bold, faint and reverse are left, and each mark has a shape of its own.
func NewPalette(depth Depth, light bool) Palette {
	p := Palette{selected: "7", heading: "1"}
	if depth == NoColour {
		p[accent], p[bad], p[critical], p[oom] = "1", "1", "1", "1"
		return p
	}
	of := darkShades
	if light {
		of = lightShades
	}
	for r, s := range of {
		switch {
		case s.basic == "":
		case depth == Colours16:
			p[r] = s.basic
		case depth == Colours256:
			p[r] = "38;5;" + s.indexed
		default:
			var red, green, blue int
			_, _ = fmt.Sscanf(s.rgb, "%02x%02x%02x", &red, &green, &blue) // the colours above are well formed
			p[r] = fmt.Sprintf("38;2;%d;%d;%d", red, green, blue)
		}
		if (role(r) == accent || role(r) == critical) && depth > Colours16 {
			p[r] += ";1"
		}
	}
	return p
}
