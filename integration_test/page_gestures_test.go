package integration_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// partOfStored is a part of the stored recording, which has a minute.
const partOfStored = "/timeline?from=2026-11-23T03:10:10Z&to=2026-11-23T03:10:30Z"

// openStored opens a view of a stored recording.
func openStored(t *testing.T, view string) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: a browser takes its time, which make test has")
	}
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "creds"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, servePage(t, dir, "--db", storedRecording(t, "v11")))
	b.open(view)
	return b
}

// box is where an element is.
func (b *tab) box(selector string) (r struct{ X, Y, Width, Height float64 }) {
	b.Helper()
	if err := json.Unmarshal([]byte(b.text(`JSON.stringify(document.querySelector('`+selector+`').getBoundingClientRect())`)), &r); err != nil {
		b.Fatal(err)
	}
	return r
}

// window is the range that the address has.
func (b *tab) window() string {
	return b.text(`(() => { const q = new URLSearchParams(location.search); return q.get("from") + " " + q.get("to"); })()`)
}

// changed waits until the range is such that a condition of Unix milliseconds holds: f and t are those of before, from and to those of now.
func (b *tab) changed(what, before, condition string) {
	b.Helper()
	await(b.T, what, func() bool {
		return b.is(`(() => { const ms = (s) => s.split(" ").map((x) => Date.parse(x)), q = new URLSearchParams(location.search), [f, t] = ms("` + before + `"), [from, to] = ms(q.get("from") + " " + q.get("to")); return ` + condition + `; })()`)
	})
}

// frame waits for the frame of the overview, and says where it is.
func (b *tab) frame() struct{ X, Y, Width, Height float64 } {
	b.Helper()
	b.settled()
	await(b.T, "the frame", func() bool {
		return b.is(`document.querySelector('.overview .window').checkVisibility({ visibilityProperty: true }) && document.querySelector('.overview .window').offsetWidth > 8`)
	})
	return b.box(".overview .window")
}

// TestPage_Overview: the strip of all that is recorded has a frame around what is shown; its edges, the frame and the strip beside it can be dragged and
// moved by keys, and Back undoes a drag.
func TestPage_Overview(t *testing.T) {
	b := openStored(t, partOfStored)
	await(t, "the strip", func() bool { return b.is(`document.querySelectorAll('.overview [role=slider]').length === 3`) })
	frame, strip := b.frame(), b.box(".overview canvas")
	if frame.X < strip.X+150 || frame.Width > (strip.Width-150)*0.8 {
		t.Errorf("the frame is %+v in %+v: more than what is shown", frame, strip)
	}
	b.shot("overview")
	was := b.window()
	b.do(chromedp.DragAndDropXY(frame.X+frame.Width+8, frame.Y+15, frame.X+frame.Width+48, frame.Y+15, 4))
	b.changed("a later end", was, "from === f && to > t + 1000")
	b.text(`history.back()`)
	b.changed("what was before the drag", was, "from === f && to === t")
	frame = b.frame()
	b.do(chromedp.DragAndDropXY(frame.X+frame.Width/2, frame.Y+15, frame.X+frame.Width/2-30, frame.Y+15, 4))
	b.changed("an earlier frame", was, "from < f - 1000 && Math.abs((to - from) - (t - f)) < 5")
	was, frame = b.window(), b.frame()
	b.do(chromedp.DragAndDropXY(frame.X+frame.Width+40, frame.Y+15, frame.X+frame.Width+80, frame.Y+15, 4))
	b.changed("a frame that is drawn", was, "from > t && to > from")
	b.frame()
	was = b.window()
	b.text(`document.querySelector('.overview .grip').focus()`)
	b.press("ArrowRight")
	b.changed("a later start by keys", was, "from > f && to === t")
	b.check("the overview")
}

// TestPage_Colours: bars are coloured by CPU or by memory, and the address says by which.
func TestPage_Colours(t *testing.T) {
	b := openStored(t, partOfStored)
	still := func() (picture string) { // of the lanes, once it stays as it is
		since := time.Now()
		await(t, "a picture that stays", func() bool {
			// What has figures is at the end.
			if now := b.text(`(document.querySelector(".lanes").scrollTop = 1e6, document.querySelector(".lanes canvas").toDataURL())`); now != picture {
				picture, since = now, time.Now()
			}
			return time.Since(since) > time.Second/2
		})
		return picture
	}
	byMemory := func() bool {
		return b.is(`location.search.includes("c=mem") && document.querySelector(".legend").textContent.includes("most memory") && document.getElementById("color").value === "mem"`)
	}
	byCPU := func() bool {
		return b.is(`!location.search.includes("c=") && document.querySelector(".legend").textContent.includes("of a core")`)
	}
	// Bars come when their answer does, so a picture may be of a moment before: it is tried until all of them are there.
	await(t, "other colours by memory than by CPU, and those of CPU again", func() bool {
		await(t, "the colours of CPU", byCPU)
		one := still()
		b.press("c")
		await(t, "the colours of memory", byMemory)
		other := still()
		b.press("c")
		await(t, "the colours of CPU again", byCPU)
		return other != one && still() == one
	})
	b.open(partOfStored + "&c=mem")
	await(t, "the colours of the address", byMemory)
	b.check("colours")
}

// touch sends what fingers do: each step is where they are, none for lifted.
func (b *tab) touch(hold bool, steps ...[][2]float64) {
	b.Helper()
	kind := input.DispatchTouchEventTypeTouchStart
	for i, at := range steps {
		points := []*input.TouchPoint{}
		for n, p := range at {
			points = append(points, &input.TouchPoint{X: p[0], Y: p[1], ID: new(float64(n))})
		}
		if len(at) == 0 {
			kind = input.DispatchTouchEventTypeTouchEnd
		}
		call(b, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
		if i == 0 && hold {
			await(b.T, "the long press taken", func() bool { return b.is(`!document.querySelector(".mark").hidden`) })
		}
		kind = input.DispatchTouchEventTypeTouchMove
	}
}

// TestPage_Touch: on a phone one finger pans sideways, two zoom, and a long press with a drag selects; Back undoes a gesture.
func TestPage_Touch(t *testing.T) {
	b := openStored(t, "/")
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true})
	call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	b.open(partOfStored)
	b.frame()
	chart := b.box(".stack canvas[role=img]")
	at := func(part float64) [2]float64 { return [2]float64{chart.X + part*chart.Width, chart.Y + 40} }
	line := func(parts ...float64) (steps [][][2]float64) {
		for _, p := range parts {
			steps = append(steps, [][2]float64{at(p)})
		}
		return append(steps, nil)
	}
	was := b.window()
	b.touch(false, line(0.3, 0.4, 0.5, 0.6, 0.7)...)
	b.changed("what was before, by a finger", was, "from < f - 5000 && Math.abs((to - from) - (t - f)) < 50")
	b.text(`history.back()`)
	b.changed("what was before the finger", was, "from === f && to === t")
	b.frame()
	b.touch(false, [][2]float64{at(0.45), at(0.55)}, [][2]float64{at(0.4), at(0.6)}, [][2]float64{at(0.3), at(0.7)}, [][2]float64{at(0.25), at(0.75)}, nil)
	b.changed("a zoom by two fingers", was, "to - from < (t - f) / 3 && from > f && to < t")
	b.frame()
	was = b.window()
	b.touch(true, line(0.3, 0.4, 0.5, 0.7)...)
	await(t, "a selection by a long press", func() bool { return b.is(`new URLSearchParams(location.search).get("sel")`) })
	b.changed("the same range", was, "from === f && to === t")
	b.check("touch")
}

// TestPage_Print: on paper the page is light, has no controls, and tables beside its pictures.
func TestPage_Print(t *testing.T) {
	b := openStored(t, partOfStored)
	dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark})
	const open = `document.querySelectorAll(".astable[open] td").length`
	if b.text(open) != "0" {
		t.Error("tables are open on a screen")
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print", Features: dark})
	await(t, "tables on paper", func() bool { return b.is(open + ` > 20`) })
	const colour = `getComputedStyle(document.documentElement).getPropertyValue("--text").trim()`
	if !b.is(`!document.querySelector("header").checkVisibility() && !document.querySelector(".head .tools").checkVisibility() && document.querySelector(".stack canvas").checkVisibility()`) || b.text(colour) != "#1b1f24" {
		t.Errorf("paper shows controls, or the colours of a dark screen: %s", b.text(colour))
	}
	b.shot("print")
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark})
	await(t, "no tables on the screen", func() bool { return b.text(open) == "0" })
	if b.text(colour) != "#e6e9ee" {
		t.Errorf("the screen stays light: %s", b.text(colour))
	}
	call(b, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	b.check("print")
}
