package top

import "strings"

// glyphs are the marks of a screen: those of Unicode, or others where the terminal shows ASCII alone.
type glyphs struct {
	ascii bool
	bars  []rune // from the least to the most
}

var (
	unicodeGlyphs = glyphs{bars: []rune("▁▂▃▄▅▆▇█")}
	asciiGlyphs   = glyphs{ascii: true, bars: []rune(" .:-=+*#")}
)

// asASCII stands for each mark where there is ASCII alone. Each takes one cell, as the mark does.
var asASCII = strings.NewReplacer("●", "o", "‖", "=", "◀", "<", "▶", ">", "▨", "%", "…", "~", "◌", "!", "■", "#", "◆", "*", "✕", "x", "▲", "^", "†", "+",
	"▸", ">", "·", ".", "−", "-", "–", "-", "Σ", "S", "▼", "v", "▏", "|", "×", "x", "└", "`", "├", "|", "│", "|", "─", "-", "✓", "v", "‹", "<", "≤", "<", "⇧", "^",
	"↑", "^", "↓", "v", "←", "<", "→", ">", "░", ".", "█", "#", "°", " ")

// text is a text as the terminal can show it.
func (g *glyphs) text(s string) string {
	if !g.ascii || isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range asASCII.Replace(s) {
		if r >= 0x80 {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// point is a value of a sparkline: what is not known is a gap.
type point struct {
	value float64
	known bool
}

// spark draws values between 0 and most, one cell each, the newest last. What is not known is drawn as a gap.
func (g *glyphs) spark(points []point, most float64, cells int) string {
	if over := len(points) - cells; over > 0 {
		points = points[over:]
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", cells-len(points)))
	for _, p := range points {
		if !p.known {
			b.WriteString("▨")
			continue
		}
		at := 0
		if most > 0 {
			at = int(p.value / most * float64(len(g.bars)))
		}
		b.WriteRune(g.bars[min(max(at, 0), len(g.bars)-1)])
	}
	return b.String()
}
