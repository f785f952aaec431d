package main

import (
	"context"
	"os/exec"
	"strconv"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a browser.
type tab struct {
	b   *bench
	ctx context.Context
}

// inBrowser measures the page as a browser shows it.
func inBrowser(b *bench, s *server, last float64) error {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		b.note("no chromium here: the page was not measured as a browser shows it")
		return nil
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(patience), chromedp.WindowSize(1280, 900))
	allocator, end := chromedp.NewExecAllocator(b.ctx, options...)
	defer end()
	ctx, end := chromedp.NewContext(allocator)
	defer end()
	t := &tab{b, ctx}
	if _, err := chromedp.Call(ctx, performance.Enable, performance.EnableParams{}); err != nil {
		return err
	}
	at := func(seconds float64) string {
		return time.Unix(0, int64(seconds*1e9)).UTC().Format(time.RFC3339Nano)
	}
	line := func(span float64) string {
		return s.url + "/timeline?from=" + at(last-span) + "&to=" + at(last) + "#token=" + s.token
	}
	for _, measure := range []func(func(float64) string) error{t.firstPaint, t.zoom, t.frames} {
		if err := measure(line); err != nil {
			return err
		}
	}
	return nil
}

// js is a number that a script says.
func (t *tab) js(source string) (float64, error) {
	return chromedp.Run(t.ctx, chromedp.Evaluate[float64](source))
}

// open opens a page anew, and waits until nothing is asked any more.
func (t *tab) open(url string) error {
	for _, to := range []string{"about:blank", url} {
		if err := chromedp.Do(t.ctx, chromedp.Navigate(to)); err != nil {
			return err
		}
	}
	return t.settled()
}

func (t *tab) settled() error {
	return t.b.await("the view", func() (bool, error) {
		v, err := t.js(`document.querySelector(".lanes") && document.querySelector(".lanes").getAttribute("aria-label") !== "Lanes" && !document.querySelector("[aria-busy]") && document.getElementById("live").textContent ? 1 : 0`)
		return v == 1, err
	})
}

// metric is one of the browser's own figures, such as ScriptDuration, in seconds.
func (t *tab) metric(name string) (float64, error) {
	all, err := chromedp.Call(t.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		return 0, err
	}
	for _, m := range all.Metrics {
		if m.Name == name {
			return m.Value, nil
		}
	}
	return 0, nil
}

// firstPaint measures how soon something is shown, and how long scripts took for all of it.
func (t *tab) firstPaint(line func(float64) string) error {
	var paints, scripts []float64
	for range t.b.rounds {
		if err := t.open(line(172_800)); err != nil {
			return err
		}
		paint, err := t.js(`performance.getEntriesByName("first-contentful-paint")[0].startTime`)
		if err != nil {
			return err
		}
		script, err := t.metric("ScriptDuration")
		if err != nil {
			return err
		}
		paints, scripts = append(paints, paint), append(scripts, script*1000)
	}
	t.b.add("… first paint, on a clock", "ms", atMost(1000), paints...)
	t.b.add("… scripts until all of two days is shown", "ms", noBar, scripts...)
	return nil
}

// zoom measures scripts in steps of zoom, from two days on.
func (t *tab) zoom(func(float64) string) error {
	var scripts []float64
	for range 8 {
		before, err := t.metric("ScriptDuration")
		if err != nil {
			return err
		}
		if _, err := t.js(`document.querySelector('[aria-label="Zoom in"]').click(), 0`); err != nil {
			return err
		}
		time.Sleep(time.Second) // it asks when the gesture is over
		if err := t.settled(); err != nil {
			return err
		}
		after, err := t.metric("ScriptDuration")
		if err != nil {
			return err
		}
		scripts = append(scripts, (after-before)*1000)
	}
	t.b.add("… a step of zoom, scripts", "ms", atMost(50), scripts...)
	return nil
}

// panning is a script that pans for so many frames, a pixel or more each, and says what share of a second a frame took.
const panning = `new Promise((done) => {
  const box = document.querySelector(".stack"), r = box.getBoundingClientRect(), began = performance.now();
  let n = 0;
  const step = () => {
    if (n++ === 90) { done((performance.now() - began) / 90); return; }
    box.dispatchEvent(new WheelEvent("wheel", { deltaX: n % 20 < 10 ? 12 : -12, clientX: r.x + 400, clientY: r.y + 60, bubbles: true, cancelable: true }));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})`

// frames measures panning over as many bars as the server tells at once: the frames that pass, and those that the work of the page's thread would let pass.
func (t *tab) frames(line func(float64) string) error {
	if err := t.open(line(10_800)); err != nil {
		return err
	}
	bars, err := t.js(`Number(/(\d+) processes as bars/.exec(document.querySelector(".lanes").getAttribute("aria-label"))[1])`)
	if err != nil {
		return err
	}
	before, err := t.metric("TaskDuration")
	if err != nil {
		return err
	}
	took, err := chromedp.Run(t.ctx, chromedp.Evaluate[float64](panning, chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	after, err := t.metric("TaskDuration")
	if err != nil {
		return err
	}
	t.b.add("… panning over "+strconv.Itoa(int(bars))+" bars, by the work of a frame", "frames/s", atLeast(30), 90/(after-before))
	t.b.add("… on a clock", "frames/s", noBar, 1000/took)
	return nil
}
