package integration_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"

	"github.com/proctape/proctape/schema"
)

// hostileName is what somebody may call a process: markup, scripts, escapes of terminals, characters that turn the direction of writing.
const hostileName = "<img src=x onerror=alert(1)><script>alert(2)</script><b class=pwned>\"'`${alert(3)}\u202e\u200f\x1b[2J\x07 javascript:alert(4)"

// serveHostile serves a recording of a host whose processes and jobs have hostile names, and whose texts are as long as may be.
func serveHostile(t *testing.T) site {
	t.Helper()
	log := startLog(t, t.TempDir())
	h := newHost("badhost", 3, 1)
	h.wall = time.Now().Add(-time.Minute).UnixNano()
	for i := range h.procs {
		h.procs[i].Command, h.procs[i].JobID, h.procs[i].Sheet, h.procs[i].Cgroup = hostileName, hostileName, schema.Opt[int64]{}, "/"+hostileName
	}
	h.procs[1].Command += strings.Repeat("x", schema.MaxCommand-len(hostileName))
	log.record(h, 4)
	for _, kind := range []schema.Kind{schema.KindOOM, schema.KindExit} {
		p := h.procs[0]
		log.publish(h.message(kind, &schema.Message{Events: []schema.Event{{Wall: h.wall, Boot: h.uptime, PID: p.PID, StartTicks: p.StartTicks, JobID: hostileName, Command: hostileName,
			Details: hostileName + strings.Repeat("x", schema.MaxText-len(hostileName)), Signal: schema.Some[int64](9), Source: "proc-diff"}}}))
	}
	for _, kind := range []schema.JobEventType{schema.JobDeclared, schema.JobEnded} {
		log.publish(h.message(schema.KindJob, &schema.Message{Jobs: []schema.JobEvent{{Type: kind, Wall: h.wall, Run: schema.RunID{1}, JobID: hostileName, Status: hostileName, Details: hostileName, Command: hostileName}}}))
	}
	about := schema.AnomalySubject{Kind: schema.AboutProcess, PID: int64(h.procs[0].PID), StartTicks: h.procs[0].StartTicks, Command: hostileName, JobID: hostileName}
	log.publish(h.message(schema.AnomalyKind("custom"), &schema.Message{Anomaly: &schema.Anomaly{Rule: hostileName, Digest: "00112233aabbccdd", Severity: schema.SeverityHigh, About: about,
		Started: h.wall - 5e9, Noticed: h.wall, Peaked: h.wall, LastSeen: h.wall, Metric: hostileName, Peak: schema.Some[int64](5), Samples: 1, Description: hostileName,
		Labels: []schema.AnomalyLabel{{Name: hostileName, Value: hostileName}}}}))
	db := filepath.Join(t.TempDir(), "monitor.db")
	run(t, "replay", "--data", log.dir, "--db", db)
	return servePage(t, log.dir, "--db", db)
}

// TestPage_HostileNames: whatever a machine calls its processes and jobs, the page shows it as text, and asks nobody else. A page that makes markup of texts is
// caught.
func TestPage_HostileNames(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a browser takes its time, which make test has")
	}
	t.Parallel()
	b := openTab(t, serveHostile(t))
	name := url.QueryEscape(hostileName)
	views := []string{"/", "/?by=command", "/?by=job", "/?by=cgroup", "/timeline?span=10m", "/jobs", "/job?name=" + name, "/process?host=badhost&pid=1", "/health", "/timeline?span=" + name + "&sel=" + name,
		"/job?name=nobody" + name, "/?host=" + name + "&by=" + name}
	b.open("/timeline?span=10m")
	await(t, "the episode of a rule with a hostile name", func() bool { return b.is(`document.querySelector(".episode").textContent.includes("◆!")`) })
	b.press("a")
	await(t, "its words", func() bool {
		return b.is(`document.querySelector(".episodes .tip").textContent.includes("<img src=x")`)
	})
	b.open("/")
	await(t, "the marks of its host and of its process", func() bool {
		return b.is(`[...document.querySelectorAll("tr")].filter((r) => r.textContent.includes("◆! anomaly, high")).length === 2`)
	})
	const made = `document.querySelectorAll("img, b, .pwned, main script, svg, iframe, main style").length`
	shown := 0
	for _, view := range views {
		b.open(view)
		if b.text(made) != "0" {
			t.Errorf("%s: a name became markup", view)
		}
		if b.is(`/[\u202e\u200f\u001b\u0007]/.test(document.body.innerText)`) {
			t.Errorf("%s: a character that cannot be seen is shown", view)
		}
		if b.is(`document.body.innerText.includes("<img src=x")`) {
			shown++
		}
	}
	if shown < 8 {
		t.Errorf("only %d views show the hostileName name: the test looks at nothing", shown)
	}
	b.forgive("400", "404") // of addresses that somebody made up
	b.check("hostile names")

	b.replace("/page/js/dom.js", `e.append(c instanceof Node ? c : document.createTextNode(safe(c)))`, `c instanceof Node ? e.append(c) : e.insertAdjacentHTML("beforeend", String(c))`)
	b.open("/process?host=badhost&pid=1")
	await(t, "markup in the control", func() bool { return b.text(made) != "0" })
	b.wrong = nil
}

// replace has the browser get a file of the page with other code in it.
func (b *tab) replace(file, old, new string) {
	b.Helper()
	source, err := os.ReadFile(filepath.Join("../query/web", filepath.FromSlash(file)))
	if err != nil || strings.Count(string(source), old) != 1 {
		b.Fatalf("%s does not hold %q once: the control has to follow the code (%v)", file, old, err)
	}
	changed := []byte(strings.Replace(string(source), old, new, 1))
	paused := make(chan fetch.RequestID, 100)
	err = chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*fetch.EventRequestPaused); ok {
			paused <- e.RequestID
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			select {
			case id := <-paused:
				_, _ = chromedp.Call(b.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: id, ResponseCode: 200, Body: changed,
					ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/javascript"}}}) // a page that was left does not wait
			case <-b.ctx.Done():
				return
			}
		}
	}()
	call(b, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*" + file}}})
}
