package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// anomalyViews are the views that tell what rules found, and how many lines of it each has.
var anomalyViews = map[string]string{
	"/timeline?from=2026-11-23T03:08:00Z&to=2026-11-23T03:11:10Z": "4",
	"/health": "3", "/job?name=build-7&host=build-07": "1", "/process?host=build-07&pid=3951": "1",
}

// found is a script that counts the lines of what rules found.
const found = `[...document.querySelectorAll("td")].filter((e) => /^◆!* [a-z_]+$/.test(e.textContent)).length`

// TestPage_Anomalies looks at what rules found as a browser does: on the timeline as bands that keys reach, whose choice is in the address, and as lines and
// marks elsewhere. The control is the same recording without episodes.
func TestPage_Anomalies(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a browser takes its time, which make test has")
	}
	t.Parallel()
	serve := func(db string) site {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "creds"), 0o700); err != nil {
			t.Fatal(err)
		}
		return servePage(t, dir, "--db", db)
	}
	plain := openTab(t, serve(storedRecording(t, "v11")))
	b := openTab(t, serve(withEpisodes(t, storedRecording(t, "v11"))))
	for view, lines := range anomalyViews {
		plain.open(view)
		plain.awaitText("No rule found anything")
		if got := plain.text(found); got != "0" || !plain.is(`[...document.querySelectorAll(".episode")].length === 0`) {
			t.Errorf("%s: the control shows %s episodes", view, got)
		}
		for _, scheme := range []string{"dark", "light"} {
			call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			b.open(view)
			await(t, "the episodes of "+view, func() bool { return b.text(found) == lines })
			if wrong := b.text(howItLooks); wrong != "" {
				t.Errorf("%s, %s: %s", view, scheme, wrong)
			}
		}
	}
	b.open("/")
	await(t, "marks of the hosts", func() bool {
		return b.is(`[...document.querySelectorAll("tr")].some((r) => /^build-07/.test(r.textContent) && r.textContent.includes("◆!! 2"))`)
	})
	b.open("/timeline?from=2026-11-23T03:08:00Z&to=2026-11-23T03:11:10Z")
	await(t, "four bands", func() bool { return b.is(`document.querySelectorAll(".episode").length === 4`) })
	b.press("a", "a", "a", "a")
	await(t, "the last episode's words", func() bool {
		return b.is(`document.activeElement.matches(".episode") && document.querySelector(".episodes .tip").textContent.includes("3.4 times") && document.getElementById("said").textContent.includes("memory_spike (critical), ld.lld 3951")`)
	})
	b.shot("anomalies")
	b.press("Enter")
	chosen := `new URLSearchParams(location.search).get("anomaly") === "a1" && new URLSearchParams(location.search).get("sel").startsWith("2026-11-23T03:10:30") && document.querySelector('.episode[aria-pressed="true"]').textContent.includes("◆!!")`
	await(t, "the choice in the address", func() bool { return b.is(chosen) })
	b.text(`location.reload()`)
	await(t, "the choice after a reload", func() bool { return b.is(`document.readyState === "complete" && ` + chosen) })
	await(t, "no choice", func() bool {
		b.press("Escape") // one that comes while the page still reads may be passed over
		return b.is(`!location.search.includes("anomaly") && !location.search.includes("sel=") && !document.querySelector('.episode[aria-pressed="true"]')`)
	})
	b.forgive("404") // one run has none before it to compare with
	plain.forgive("404")
	b.check("what rules found")
	plain.check("the control")
}
