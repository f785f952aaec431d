package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// questions counts what the page asks, by the path.
type questions struct {
	mu sync.Mutex
	n  map[string]int
}

// countQuestions counts from now on.
func (b *tab) countQuestions() *questions {
	b.Helper()
	q := &questions{n: map[string]int{}}
	err := chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			path, _, _ := strings.Cut(strings.TrimPrefix(e.Request.URL, b.url), "?")
			q.mu.Lock()
			defer q.mu.Unlock()
			q.n[path]++
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return q
}

func (q *questions) of(path string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n[path]
}

// sleepingFor starts a process that sleeps, and returns it with the text of its bar.
func sleepingFor(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command("sleep", "3571")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd, fmt.Sprintf("sleep %d ·", cmd.Process.Pid)
}

// bar is a condition: the lanes have a bar whose text begins so, and goes on so.
func bar(begins, has string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".lanesbox td")].some((e) => e.textContent.startsWith(%q) && e.textContent.includes(%q))`, begins, has)
}

// TestPage_Live: on a time line that goes on, what starts and ends is appended as the stream tells it: the lanes are not asked for anew, and no element is
// made anew. A page that does not append is caught.
func TestPage_Live(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a browser takes its time, which make test has")
	}
	t.Parallel()
	dir := t.TempDir()
	record(t, proctape, dir)
	b := openTab(t, servePage(t, dir))
	asked := b.countQuestions()
	const lanes, series = "/api/v1/lanes", "/api/v1/series"
	follow := func() { // the lanes are open as a table, and the stream is there
		b.open("/timeline?span=10m")
		b.text(`document.querySelector(".lanesbox details").open = true`)
		await(t, "the newest cells of the charts", func() bool {
			before := asked.of(series)
			await(t, "one more", func() bool { return asked.of(series) > before })
			return true
		})
	}
	follow()
	b.text(`document.querySelector(".lanes").id = "same"`)
	deadline := time.Now().Add(patience)
	for { // now and then all is read anew: what came with that shows nothing
		before := asked.of(lanes)
		began := time.Now()
		cmd, name := sleepingFor(t)
		await(t, "a bar that is long enough to be drawn at its end too", func() bool { return time.Since(began) > 3*time.Second && b.is(bar(name, "still there")) })
		started := asked.of(lanes)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		await(t, "its end", func() bool { return b.is(bar(name, "SIGKILL")) })
		if before == started && started == asked.of(lanes) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the lanes are asked for again and again")
		}
	}
	if !b.is(`document.getElementById("same")`) {
		t.Error("the view was made anew")
	}
	b.press("ArrowLeft") // who looks at what was goes on no more
	await(t, "the past", func() bool { return b.is(`new URLSearchParams(location.search).get("from")`) })
	b.check("live")

	b.replace("/page/js/append.js", `if (e.event_type === "spawn" && !bar`, `if (false`)
	follow()
	before := asked.of(lanes)
	_, name := sleepingFor(t)
	pid := strings.Fields(name)[1]
	await(t, "its start in the database", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM process_events WHERE event_type = 'spawn' AND pid = `+pid) > 0
	})
	for range 3 {
		n := asked.of(series)
		await(t, "newest cells", func() bool { return asked.of(series) > n })
	}
	if before == asked.of(lanes) && b.is(bar(name, "")) {
		t.Error("the control shows what it was not told")
	}
}

// heap is how many bytes the page's scripts hold, after garbage was collected.
func (b *tab) heap() float64 {
	b.Helper()
	call(b, heapprofiler.CollectGarbage, cdp.Empty{})
	usage, err := chromedp.Call(b.ctx, runtime.GetHeapUsage, cdp.Empty{})
	if err != nil {
		b.Fatal(err)
	}
	return usage.UsedSize
}

// TestPage_LiveMemory: a time line that goes on, while processes come and go, holds no more after the last third than after the first. PROCTAPE_SOAK_FOR says
// for how long.
func TestPage_LiveMemory(t *testing.T) {
	if os.Getenv("PROCTAPE_SOAK") == "" {
		t.Skip("SKIPPED: it takes an hour: make soak")
	}
	t.Parallel()
	lasts, err := time.ParseDuration(os.Getenv("PROCTAPE_SOAK_FOR"))
	if err != nil {
		lasts = time.Hour
	}
	dir := t.TempDir()
	record(t, proctape, dir)
	storm := exec.Command("sh", "-c", "while :; do sleep 0.2; sleep 3 & done")
	if err := storm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = storm.Process.Kill()
		_ = storm.Wait()
	})
	b := openTab(t, servePage(t, dir))
	b.open("/timeline?span=60")
	// The first third fills the range, and the code's own caches.
	var seen []float64
	for range 12 {
		time.Sleep(lasts / 12)
		seen = append(seen, b.heap()/(1<<20))
		t.Logf("%s MiB, %s elements", strconv.FormatFloat(seen[len(seen)-1], 'f', 2, 64), b.text(`document.querySelectorAll("*").length`))
	}
	early, late := max(seen[2], seen[3], seen[4]), min(seen[9], seen[10], seen[11])
	if late > early*1.1+1 {
		t.Errorf("it holds %.1f MiB at least in the end, and held %.1f at most in the beginning", late, early)
	}
	b.check("a long time")
}
