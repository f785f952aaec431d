package integration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// site is a server of the page.
type site struct {
	url, token string
}

// servePage serves what a folder holds.
func servePage(t *testing.T, dir string, args ...string) site {
	t.Helper()
	server := start(t, append([]string{"serve", "--data", dir, "--http", "127.0.0.1:0"}, args...)...)
	server.awaitLine("The token is in")
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(strings.Join(server.out(), "\n"))
	token, err := os.ReadFile(filepath.Join(dir, "creds", "http.token"))
	if err != nil {
		t.Fatal(err)
	}
	return site{url, strings.TrimSpace(string(token))}
}

// tab is a tab of a browser, and what went wrong in it.
type tab struct {
	*testing.T
	site
	ctx context.Context

	mu    sync.Mutex
	wrong []string
}

// browser is one browser for all tests, or [exec.ErrNotFound] where there is none.
var browser = sync.OnceValues(func() (context.Context, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,WebUIOmniboxPopup,WebUIOmniboxAimPopup"), // pages of its own in each window's frame
			chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(1280, 900))
		allocator, endAll := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, end := chromedp.NewContext(allocator)
		atEnd = append(atEnd, endAll, end)
		if err := chromedp.Do(ctx); err != nil {
			return nil, fmt.Errorf("start %s: %w", path, err)
		}
		return ctx, nil
	}
	return nil, exec.ErrNotFound
})

// openTab opens a tab that shares nothing with those of other tests. It skips the test where there is no browser.
func openTab(t *testing.T, s site) *tab {
	t.Helper()
	all, err := browser()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("SKIPPED: no chromium here (apt-get install chromium): nothing looked at the page as a browser does")
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(all, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*patience)
	t.Cleanup(cancel)
	b := &tab{T: t, site: s, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, page.Enable, page.EnableParams{})
	return b
}

// listen notes what the page must never do.
func (b *tab) listen(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.url+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			b.note("it asked " + e.Request.URL)
		}
		if strings.Contains(e.Request.URL, b.token) {
			b.note("the token is in the address of a request")
		}
	case *runtime.EventExceptionThrown:
		b.note("exception: " + e.ExceptionDetails.Text + " " + e.ExceptionDetails.URL)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" {
			b.note("error: " + e.Entry.Text + " " + e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.note("a dialog: " + e.Message)
		go func() {
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) // it may be gone
		}()
	}
}

func (b *tab) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, what)
}

// check fails the test when something went wrong since it was asked last.
func (b *tab) check(of string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.Errorf("%s: %s", of, w)
	}
	b.wrong = nil
}

// forgive forgets what the browser says of answers with these statuses: a test asked for them.
func (b *tab) forgive(statuses ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = slices.DeleteFunc(b.wrong, func(w string) bool {
		return slices.ContainsFunc(statuses, func(s string) bool { return strings.Contains(w, "status of "+s) })
	})
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// call has the browser do what its protocol has a command for.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.Fatal(err)
	}
}

// open opens an address with the token, and waits until the view has come.
func (b *tab) open(path string) {
	b.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(b.url+path+"#token="+b.token))
	b.settled()
}

// settled waits until a view is there and nothing is being asked for.
func (b *tab) settled() {
	b.Helper()
	await(b.T, "the view", func() bool {
		return b.is(`document.querySelectorAll(".panel").length > 0 && !document.querySelector("[aria-busy]") && document.getElementById("live").textContent !== ""`)
	})
}

// is evaluates a condition; what cannot be evaluated yet does not hold.
func (b *tab) is(condition string) bool {
	b.Helper()
	return b.text("(() => { try { return !!("+condition+") } catch { return false } })()") == "true"
}

// text evaluates an expression to text. A page that is just being left has none.
func (b *tab) text(expression string) string {
	b.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil && b.ctx.Err() != nil {
		b.Fatal(err)
	}
	return s
}

// awaitText waits for a text of the page, and fails with what is there instead.
func (b *tab) awaitText(text string) {
	b.Helper()
	within := time.After(patience)
	for !b.is(fmt.Sprintf("document.body.innerText.includes(%q)", text)) {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-within:
			b.Fatalf("no text %q but\n%s", text, b.text("location.href + document.body.innerText.slice(0, 1500)"))
		}
	}
}

// press presses keys, one after the other, as a keyboard does.
func (b *tab) press(keys ...string) {
	b.Helper()
	codes := map[string]string{"ArrowRight": kb.ArrowRight, "ArrowLeft": kb.ArrowLeft, "Escape": kb.Escape, "Enter": kb.Enter, "Tab": kb.Tab}
	for _, key := range keys {
		var modifiers []chromedp.KeyOption
		name, shift := strings.CutPrefix(key, "Shift+")
		if shift {
			modifiers = append(modifiers, chromedp.KeyModifiers(chromedp.ModifierShift))
		}
		if code, ok := codes[name]; ok {
			name = code
		}
		b.do(chromedp.KeyEvent(name, modifiers...))
	}
}

// shot writes a picture of the page into the folder that PROCTAPE_SCREENSHOTS names.
func (b *tab) shot(name string) {
	b.Helper()
	dir := os.Getenv("PROCTAPE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "page-"+name+".png"), png, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// checkPage looks at the page of a recording of trouble as a browser does.
func checkPage(t *testing.T, m *troubled) {
	b := openTab(t, servePage(t, m.dir))
	failed, leak := m.the("pipeline"), m.the("leak")
	from, to := m.deeds["pipeline"][0].From-1, failed.To+5
	iso := func(seconds float64) string { return time.Unix(0, int64(seconds*1e9)).UTC().Format(time.RFC3339Nano) }
	line := "/timeline?from=" + iso(from) + "&to=" + iso(to)

	b.do(chromedp.Navigate(b.url + "/jobs"))
	b.awaitText("Sign in")
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), strings.Repeat("x", 40)+"\r"))
	b.awaitText("not the server's")
	b.forgive("401")

	b.open("/jobs")
	b.awaitText("trouble-pipeline")
	if got := b.text("location.href + document.title"); strings.Contains(got, b.token) {
		t.Errorf("the token stays in the address: %s", got)
	}
	b.open("/job?name=trouble-pipeline&run=2")
	b.awaitText("Run 2")
	if m.outOfMemory() {
		b.awaitText("out of memory")
	}
	b.awaitText("Now: run 2 (failed). Before: run 1.")
	b.shot("job")
	b.open("/health")
	b.awaitText("testhost")
	b.open("/")
	b.awaitText("testhost")
	b.open(fmt.Sprintf("/process?host=testhost&pid=%d", leak.PID))
	b.awaitText(fmt.Sprintf(" %d\nHow it lived", leak.PID))
	b.awaitText("born of")
	b.check("the views")

	b.open(line)
	t.Run("drag", func(t *testing.T) { dragAndZoom(b, t) })
	b.open(line)
	t.Run("keyboard", func(t *testing.T) { keyboardOnly(b, t) })
	t.Run("sizes", func(t *testing.T) { phoneAndDark(b, t, line) })
	b.check("gestures, keys and sizes")
}

// dragAndZoom selects by a drag, and zooms by the wheel; Back undoes.
func dragAndZoom(b *tab, t *testing.T) {
	var box struct{ X, Y, Width float64 }
	if err := json.Unmarshal([]byte(b.text(`JSON.stringify(document.querySelector(".stack canvas[role=img]").getBoundingClientRect())`)), &box); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.DragAndDropXY(box.X+box.Width/2, box.Y+30, box.X+box.Width*0.7, box.Y+30, 4))
	await(t, "a selection", func() bool {
		return b.is(`new URLSearchParams(location.search).get("sel") && document.querySelector(".selected").textContent.startsWith("Selected") && !document.querySelector(".mark").hidden`)
	})
	b.awaitText("figures were compared")
	b.settled()
	b.shot("timeline")
	before := b.text(`new URLSearchParams(location.search).get("from")`)
	b.do(chromedp.Click(chromedp.CSS(`[aria-label="Zoom in"]`)))
	await(t, "a zoom", func() bool { return b.text(`new URLSearchParams(location.search).get("from")`) != before })
	b.text(`history.back()`)
	await(t, "what was before the zoom", func() bool { return b.text(`new URLSearchParams(location.search).get("from")`) == before })
	b.settled()
}

// keyboardOnly goes from the time line to the story of what died, without a mouse.
func keyboardOnly(b *tab, t *testing.T) {
	await(t, "bars", func() bool {
		return b.is(`document.querySelector(".lanes").getAttribute("aria-label").includes("ended badly")`)
	})
	b.press("Shift+ArrowRight", "Shift+ArrowRight")
	await(t, "a selection", func() bool { return b.is(`new URLSearchParams(location.search).get("sel")`) })
	b.press("Escape")
	await(t, "the death of a process told", func() bool { // runs and steps that failed are deaths too; a key that comes before the lanes are drawn does nothing
		b.press("]")
		return b.is(`/^(?!run |step ).*[■▲✕]/.test(document.getElementById("said").textContent)`)
	})
	b.press("Enter")
	await(t, "the story of the death", func() bool { return b.is(`location.pathname === "/process"`) })
	b.awaitText("How it lived")
	b.settled()
	b.press("g", "h")
	await(t, "health", func() bool { return b.is(`location.pathname === "/health"`) })
	b.press("?")
	await(t, "the keys", func() bool { return b.is(`document.getElementById("keys").open`) })
	b.press("Escape")
}

// howItLooks is a script that tells what is wrong with how the view howItLooks: what is wider than the window, texts of too little contrast, controls without a name or
// too small.
const howItLooks = `(() => {
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("wider than the window: " + document.documentElement.scrollWidth);
  if (document.querySelectorAll("h1").length !== 1) wrong.push(document.querySelectorAll("h1").length + " h1");
  const light = (c) => c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((n, v, i) => n + v * [0.2126, 0.7152, 0.0722][i], 0);
  const rgb = (s) => s.match(/[\d.]+/g).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility() || e.closest(".unseen, #said, option")) continue;
    const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e).slice(0, 3)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) wrong.push("contrast " + ratio.toFixed(1) + " of " + e.tagName + "." + e.className + " " + e.textContent.slice(0, 20));
  }
  for (const e of document.querySelectorAll("button, select, input")) {
    if (!e.checkVisibility()) continue;
    const box = e.getBoundingClientRect();
    if (!(e.textContent.trim() || e.getAttribute("aria-label") || (e.labels && e.labels.length))) wrong.push("no name: " + e.outerHTML.slice(0, 80));
    if (e.type !== "checkbox" && (box.width < 24 || box.height < 24)) wrong.push("too small: " + e.outerHTML.slice(0, 80));
  }
  return wrong.join("\n");
})()`

// phoneAndDark looks at each view at a phone's width and in dark colours.
func phoneAndDark(b *tab, t *testing.T, line string) {
	views := []string{line, "/", "/jobs", "/job?name=trouble-pipeline", "/health"}
	try := func(name string) {
		for _, view := range views {
			b.open(view)
			if wrong := b.text(howItLooks); wrong != "" {
				t.Errorf("%s, %s: %s", view, name, wrong)
			}
		}
	}
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true})
	try("a phone")
	b.open(line)
	b.shot("phone")
	call(b, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	colours := func(scheme string) {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	}
	colours("dark")
	try("dark")
	if got := b.text(`getComputedStyle(document.body).backgroundColor`); got != "rgb(11, 14, 18)" {
		t.Errorf("dark is %s", got)
	}
	b.open(line)
	b.shot("dark")
	colours("light")
}
