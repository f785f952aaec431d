package web_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// legible are pairs of the page's colours, and the contrast that WCAG 2.2 AA asks of them: 4.5 of text, 3 of what is drawn and of controls.
var legible = []struct {
	front, behind string
	least         float64
}{
	{"text faint accent ok anomaly failed oom", "panel page", 4.5},
	{"panel", "text accent", 4.5}, // tips, and the view that is shown
	{"text", "unknown", 4.5},
	{"oncpu0", "cpu0", 4.5}, {"oncpu1", "cpu1", 4.5}, {"oncpu2", "cpu2", 4.5}, {"oncpu3", "cpu3", 4.5}, {"oncpu4", "cpu4", 4.5},
	{"control gap cpu0 cpu1 cpu2 cpu3 cpu4", "panel", 3},
}

// illegible says which pairs of a style have too little contrast, in light and in dark colours.
func illegible(css string) (wrong []string) {
	roots := regexp.MustCompile(`:root\s*\{([^}]*)\}`).FindAllStringSubmatch(css, -1)
	if len(roots) != 2 {
		return []string{fmt.Sprintf("%d sets of colours, want light and dark", len(roots))}
	}
	for i, scheme := range []string{"light", "dark"} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+):\s*(#[0-9a-f]{6});`).FindAllStringSubmatch(roots[i][1], -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range legible {
			for _, front := range strings.Fields(pair.front) {
				for _, behind := range strings.Fields(pair.behind) {
					if got := contrast(colours[front], colours[behind]); !(got >= pair.least) {
						wrong = append(wrong, fmt.Sprintf("%s: %s on %s is %.2f, want %.1f", scheme, front, behind, got, pair.least))
					}
				}
			}
		}
	}
	return wrong
}

// contrast is the ratio of WCAG 2.2 between two colours; NaN where one is not there.
func contrast(a, b string) float64 {
	light := func(colour string) float64 {
		if len(colour) != 7 {
			return math.NaN()
		}
		sum := 0.0
		for i, share := range []float64{0.2126, 0.7152, 0.0722} {
			v, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			if err != nil {
				return math.NaN()
			}
			c := float64(v) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += share * c
		}
		return sum
	}
	pair := []float64{light(a), light(b)}
	slices.Sort(pair)
	return (pair[1] + 0.05) / (pair[0] + 0.05)
}

// TestPage_Contrast: the page's colours can be read, in light and in dark. A fainter one is caught.
func TestPage_Contrast(t *testing.T) {
	css := pageFiles(t)["/page/css/page.css"]
	for _, w := range illegible(css) {
		t.Error(w)
	}
	if len(illegible(strings.Replace(css, "--faint: #565e69", "--faint: #868e99", 1))) == 0 || len(illegible(strings.Replace(css, "--control: #7d8797", "--control: #3d4757", 1))) == 0 {
		t.Error("the controls are not caught")
	}
	if got := contrast("#000000", "#ffffff"); got != 21 {
		t.Errorf("black on white is %v", got)
	}
}
