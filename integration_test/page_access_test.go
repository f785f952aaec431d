package integration_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// storedViews are the views of the stored recording, with something in each.
var storedViews = []string{"/", partOfStored + "&sel=2026-11-23T03:10:15Z~2026-11-23T03:10:25Z", "/jobs", "/job?name=build-7&host=build-07", "/process?host=build-07&pid=3951", "/health"}

// inSchemes opens each view in light and dark colours, with its tables open.
func (b *tab) inSchemes(look func(name string)) {
	b.Helper()
	for _, scheme := range []string{"light", "dark"} {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		for _, view := range storedViews {
			b.open(view)
			b.text(`document.querySelectorAll("details").forEach((d) => d.open = true)`)
			look(view + ", " + scheme)
		}
	}
}

// broken is a script that starts axe, and keeps what it says is wrong.
const broken = `window.wrong = null; axe.run(document, { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } }).then((r) => {
  window.wrong = r.passes.length < 20 ? "only " + r.passes.length + " rules pass" : r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 200))).join("\n");
}, (e) => { window.wrong = String(e); })`

// script runs a script.
func (b *tab) script(source string) {
	b.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](source+"\n;0")); err != nil {
		b.Fatal(err)
	}
}

// TestPage_Axe: axe-core finds nothing wrong in any view. A picture without a name, and a control without one, are caught.
func TestPage_Axe(t *testing.T) {
	where, err := exec.Command("node", "-e", `console.log(require.resolve("axe-core/axe.min.js"))`).Output()
	if err != nil {
		t.Skip("SKIPPED: there is no node with axe-core (npm install axe-core, NODE_PATH): its rules were not tried on the page")
	}
	axe, err := os.ReadFile(strings.TrimSpace(string(where)))
	if err != nil {
		t.Fatal(err)
	}
	b := openStored(t, "/")
	judge := func() string {
		b.script(string(axe))
		b.script(broken)
		await(t, "what axe says", func() bool { return b.is(`window.wrong !== null`) })
		return b.text(`window.wrong`)
	}
	b.inSchemes(func(name string) {
		if wrong := judge(); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	})
	b.script(`document.querySelector("main").append(Object.assign(document.createElement("button"), { type: "button" })); document.querySelector("h1").remove()`)
	if wrong := judge(); !strings.Contains(wrong, "button-name") || !strings.Contains(wrong, "page-has-heading-one") {
		t.Errorf("the control is not caught: %q", wrong)
	}
	b.forgive("404") // one run has none before it to compare with
	b.check("axe")
}

// unseenFocus is a script that gives each thing that keys reach the focus, and tells of which this cannot be seen.
const unseenFocus = `(() => {
  const all = [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")].filter((e) => e.checkVisibility()), wrong = [];
  all.at(-1).focus(); // what has the focus first after a key is not always taken for what keys reached
  for (const e of all) {
    e.focus();
    const s = getComputedStyle(e);
    if (document.activeElement !== e) wrong.push("takes no focus: " + e.outerHTML.slice(0, 80));
    else if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) wrong.push("focus is not seen: " + e.outerHTML.slice(0, 80));
  }
  return all.length < 8 ? "only " + all.length + " can be reached" : wrong.join("\n");
})()`

// TestPage_Focus: what keys reach shows that it has the focus, in every view; Tab goes through a view and leads to its parts, and keys alone lead through all of
// them. A style without outlines is caught.
func TestPage_Focus(t *testing.T) {
	b := openStored(t, "/")
	b.inSchemes(func(name string) {
		b.press("Tab") // whoever uses keys is shown the focus
		if wrong := b.text(unseenFocus); wrong != "" {
			t.Errorf("%s: %s", name, wrong)
		}
	})
	b.open("/")
	if got := b.text(`document.activeElement.tagName`); got != "BODY" {
		t.Errorf("the view begins with the focus in %s", got)
	}
	b.press("Tab")
	if !b.is(`document.activeElement.matches(".skip:focus-visible")`) {
		t.Error("the first Tab does not lead to the link to the content")
	}
	b.press("g", "j")
	await(t, "the jobs", func() bool { return b.is(`location.pathname === "/jobs" && document.querySelector("td a")`) })
	reach := func(what, condition string) {
		await(t, what, func() bool { b.press("Tab"); return b.is(condition) })
	}
	reach("a job by Tab", `document.activeElement.matches("td a:focus-visible") && document.activeElement.textContent === "build-7"`)
	b.press("Enter")
	await(t, "the job", func() bool {
		return b.is(`location.pathname === "/job" && document.querySelector(".lanes") && document.querySelector("td a")`)
	})
	b.settled()
	reach("a process by Tab", `document.activeElement.matches("td a[href^='/process']:focus-visible")`)
	b.press("Enter")
	await(t, "the process", func() bool { return b.is(`location.pathname === "/process"`) })
	b.awaitText("How it lived")
	for key, path := range map[string]string{"t": "/timeline", "h": "/health", "n": "/"} {
		b.press("g", key)
		await(t, path, func() bool { return b.is(`location.pathname === "` + path + `"`) })
		b.settled()
	}
	b.forgive("404")
	b.check("the focus")
	b.replaceStyle(":focus-visible { outline: 2px", ":focus-visible { outline: 0px")
	b.press("Tab")
	if b.text(unseenFocus) == "" {
		t.Error("the control is not caught")
	}
}

// replaceStyle changes the style of the page that is open.
func (b *tab) replaceStyle(old, new string) {
	b.Helper()
	css, err := os.ReadFile("../query/web/page/css/page.css")
	if err != nil || strings.Count(string(css), old) != 1 {
		b.Fatalf("the style does not hold %q once: the control has to follow it (%v)", old, err)
	}
	b.text("(() => { const s = new CSSStyleSheet(); s.replaceSync(`" + strings.Replace(string(css), old, new, 1) + "`); document.querySelector('link[rel=stylesheet]').disabled = true; document.adoptedStyleSheets = [s]; })()")
}
