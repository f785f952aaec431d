package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/query/why"
)

// Every listing page by page is what the library reads at once, and single answers are the library's.
func TestAPI_AnswersAreTheLibrarys(t *testing.T) {
	w := newWorld(t, 25)
	s := w.serve(0)
	snapshots, err := query.Snapshots(t.Context(), w.db, query.Range{})
	check(t, err)
	events, err := query.Events(t.Context(), w.db, query.Filter{Range: query.Range{Reverse: true}})
	check(t, err)
	history, err := query.History(t.Context(), w.db, 42, query.Range{})
	check(t, err)
	execs, err := query.Execs(t.Context(), w.db, query.Filter{})
	check(t, err)
	hosts, err := query.Hosts(t.Context(), w.db)
	check(t, err)
	for path, want := range map[string]any{
		"snapshots?limit=7":                     snapshots,
		"events?limit=4&order=newest":           events,
		"history?pid=42&limit=9":                history,
		"execs?":                                execs,
		"hosts?":                                hosts,
		"jobs?":                                 []query.Job{},
		"gaps?":                                 []query.Gap{},
		"anomalies?open=true&severity=low":      []query.Anomaly{},
		"events?command=made+7&pid=1007":        find(events, func(e query.Event) bool { return e.PID == 1007 }),
		"snapshots?limit=1&command=%3Cscript":   snapshots,
		"history?pid=42&start=7&boot=boot-1":    history,
		"history?pid=42&start=8":                []query.HistoryPoint{},
		"events?type=exit,signal,kill,oom":      []query.Event{},
		"snapshots?state=R":                     []query.Snapshot{},
		"events?since=" + stamp(10):             oldest(events, 15),
		"events?until=" + stamp(10) + "&step=1": []query.Event{},
	} {
		if got, want := s.pages(path), text(t, want); got != want {
			t.Errorf("%s: got %.300s\nwant %.300s", path, got, want)
		}
	}
}

// What was there at a moment, and who used most, is the library's.
func TestAPI_Moments(t *testing.T) {
	w := newWorld(t, 10)
	s := w.serve(0)
	at := float64(began.Add(5*time.Second).UnixNano()) / 1e9
	processes, err := query.ProcessesAt(t.Context(), w.db, at, query.Filter{})
	check(t, err)
	trees, err := query.TreeAt(t.Context(), w.db, at, query.Filter{})
	check(t, err)
	diffs, err := query.Diff(t.Context(), w.db, at-3, at, query.Filter{})
	check(t, err)
	orphans, err := query.OrphansAt(t.Context(), w.db, at, query.Filter{})
	check(t, err)
	for path, want := range map[string]any{
		"processes?at=" + stamp(5):                  processes,
		"tree?at=" + stamp(5):                       trees,
		"diff?from=" + stamp(2) + "&to=" + stamp(5): diffs,
		"orphans?at=" + stamp(5):                    orphans,
	} {
		if got, want := s.pages(path), text(t, want); got != want {
			t.Errorf("%s: got %.300s\nwant %.300s", path, got, want)
		}
	}
	top, err := query.TopAt(t.Context(), w.db, at, query.TopQuery{Filter: query.Filter{Range: query.Range{Limit: 100}}, By: "command", Sort: "mem"})
	check(t, err)
	if status, body := s.get("/api/v1/top?by=command&sort=mem&at=" + stamp(5)); status != http.StatusOK || strings.TrimSpace(string(body)) != text(t, top) || len(top.Rows) == 0 {
		t.Errorf("top: got %d %.300s\nwant %.300s", status, body, text(t, top))
	}
}

// stamp is the time of the i-th message.
func stamp(i int) string {
	return url.QueryEscape(began.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano))
}

// oldest are the last n of a listing from the newest on, oldest first.
func oldest(events []query.Event, n int) []query.Event {
	var list []query.Event
	for i := n - 1; i >= 0; i-- {
		list = append(list, events[i])
	}
	return list
}

func find(events []query.Event, want func(query.Event) bool) []query.Event {
	list := []query.Event{}
	for _, e := range events {
		if want(e) {
			list = append(list, e)
		}
	}
	return list
}

func text(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	check(t, err)
	return string(query.NullUnknown(data))
}

// pages reads all pages of a listing, and returns their items as JSON.
func (s *site) pages(path string) string {
	s.Helper()
	items, after := []json.RawMessage{}, ""
	for {
		status, body := s.get("/api/v1/" + path + after)
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if status != http.StatusOK {
			s.Fatalf("%s: status %d: %s", path, status, body)
		}
		check(s, json.Unmarshal(body, &page))
		items = append(items, page.Items...)
		if page.Next == "" {
			data, err := json.Marshal(items)
			check(s, err)
			return string(data)
		}
		after = "&after=" + page.Next
	}
}

// A page has no more bytes than a bound and one item, however many items are asked for, and all pages together have what one page has without the bound.
func TestAPI_PageIsBounded(t *testing.T) {
	w := newWorld(t, 10)
	s := w.serve(0)
	const path, bound = "snapshots?limit=10000", 2000
	_, whole := s.get("/api/v1/" + path)
	all := s.pages(path)
	if !strings.Contains(string(whole), all[1:len(all)-1]) || len(whole) < 2*bound {
		t.Fatalf("without the bound one page has %d bytes, and not all", len(whole))
	}
	s.stop()
	t.Cleanup(web.SetMaxPage(bound))
	s = w.serve(0)
	_, first := s.get("/api/v1/" + path)
	if longest := len(all) / 20 * 3; len(first) > bound+longest || !strings.Contains(string(first), `"next":`) {
		t.Errorf("the first page has %d bytes; the bound is %d", len(first), bound)
	}
	if got := s.pages(path); got != all {
		t.Errorf("all pages have %d bytes of items, want %d", len(got), len(all))
	}
}

// What is wrong is refused with the name of the parameter, and what there is instead.
func TestAPI_RefusesByName(t *testing.T) {
	s := newWorldWith(t, 1, (*world).failedJob).serve(0)
	for path, want := range map[string]struct {
		status    int
		parameter string
	}{
		"events?limit=0":                  {400, "limit"},
		"events?limit=10001":              {400, "limit"},
		"events?limit=1e3":                {400, "limit"},
		"events?limit=":                   {400, "limit"},
		"events?limit=1&limit=2":          {400, "limit"},
		"events?since=yesterday":          {400, "since"},
		"events?since=200&until=100":      {400, "until"},
		"events?order=up":                 {400, "order"},
		"events?after=x":                  {400, "after"},
		"events?host=beta":                {400, "host"},
		"events?hots=alpha":               {400, "hots"},
		"events?type=birth":               {400, "type"},
		"events?type=exit,birth":          {400, "type"},
		"events?pid=-1":                   {400, "pid"},
		"events?pid=99999999999999999999": {400, "pid"},
		"events?step=1.5":                 {400, "step"},
		"events?user=root":                {400, "user"},
		"events?failed=perhaps":           {400, "failed"},
		"events?signal=65":                {400, "signal"},
		"snapshots?state=Q":               {400, "state"},
		"snapshots?signal=9":              {400, "signal"},
		"top?at=9&since=8":                {400, "at"},
		"top?until=9":                     {400, "until"},
		"top?by=name":                     {400, "by"},
		"top?sort=rss":                    {400, "sort"},
		"diff":                            {400, "from"},
		"diff?from=9&to=9":                {400, "to"},
		"tree?at=soon":                    {400, "at"},
		"history":                         {400, "pid"},
		"history?pid=1&start=x":           {400, "start"},
		"report":                          {400, "job"},
		"report?job=none":                 {404, "job"},
		"report?job=none&run=all":         {404, "job"},
		"report?job=build&run=9":          {404, "run"},
		"report?job=build&run=x":          {404, "run"},
		"runs":                            {400, "job"},
		"runs?job=none":                   {404, "job"},
		"why":                             {400, "pid"},
		"why?pid=1&job=build":             {400, "pid"},
		"why?pid=77":                      {404, "pid"},
		"why?event=999":                   {404, "event"},
		"why?job=none":                    {404, "job"},
		"status":                          {404, ""},
		"gaps?kind=hole":                  {400, "kind"},
		"anomalies?severity=bad":          {400, "severity"},
		"stream?kinds=snapshots":          {400, "kinds"},
		"stream?last_event_id=5":          {400, "last_event_id"},
		"stream?host=beta":                {400, "host"},
		"nothing":                         {404, ""},
		"":                                {404, ""},
	} {
		status, body := s.get("/api/v1/" + path)
		var p web.Problem
		if err := json.Unmarshal(body, &p); err != nil || status != want.status || p.Status != status || p.Parameter != want.parameter || p.Title == "" {
			t.Errorf("%s: got %d %s, want %d about %q", path, status, body, want.status, want.parameter)
		}
	}
}

// A name that is nearly right gets the right one.
func TestAPI_SaysWhatWasMeant(t *testing.T) {
	s := newWorld(t, 1).serve(0)
	for path, want := range map[string]string{
		"events?hots=alpha": "did you mean host? ", "events?sinc=-1h": "did you mean since? ", "events?type=exits": "did you mean exit? ",
		"events?host=alhpa": "did you mean alpha? ", "top?by=comand": "did you mean command? ", "events?zzz=1": "there are host, since",
	} {
		_, body := s.get("/api/v1/" + path)
		var p web.Problem
		if check(t, json.Unmarshal(body, &p)); !strings.HasPrefix(p.Hint, want) {
			t.Errorf("%s: %s, want %q", path, body, want)
		}
	}
}

// Only who has the token, names this server, reads and sends no body is answered.
func TestGuard(t *testing.T) {
	w := newWorld(t, 1)
	s := w.serve(0)
	for name, c := range map[string]struct {
		spoil  func(r *http.Request)
		status int
	}{
		"as it should be":       {func(*http.Request) {}, 200},
		"localhost":             {func(r *http.Request) { r.Host = fmt.Sprintf("localhost:%d", s.port()) }, 200},
		"no token":              {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"another token":         {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token+"x") }, 401},
		"half a token":          {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token[:20]) }, 401},
		"another scheme":        {func(r *http.Request) { r.Header.Set("Authorization", "Basic "+token) }, 401},
		"a token in the URL":    {func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "token=" + token }, 401},
		"a name of an attacker": {func(r *http.Request) { r.Host = "rebound.example" }, 421},
		"no name":               {func(r *http.Request) { r.Host = "127.0.0.1.rebound.example:80" }, 421},
		"a name with an at":     {func(r *http.Request) { r.Host = "127.0.0.1@rebound.example" }, 421},
		"POST":                  {func(r *http.Request) { r.Method = http.MethodPost }, 405},
		"DELETE":                {func(r *http.Request) { r.Method = http.MethodDelete }, 405},
		"OPTIONS":               {func(r *http.Request) { r.Method = http.MethodOptions }, 405},
		"a body": {func(r *http.Request) {
			r.Body, r.ContentLength = http.NoBody, 0
			r.Body = readCloser{strings.NewReader("x")}
			r.ContentLength = 1
		}, 413},
		"a path upwards": {func(r *http.Request) { r.URL.Path = "/api/v1/../v1/hosts" }, 404},
		"an empty part":  {func(r *http.Request) { r.URL.Path = "//api/v1/hosts" }, 404},
	} {
		r := s.request("/api/v1/hosts")
		c.spoil(r)
		answer, body := s.do(r)
		if answer.StatusCode != c.status {
			t.Errorf("%s: got %d %s, want %d", name, answer.StatusCode, body, c.status)
		}
		if h := answer.Header; h.Get("Content-Security-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: headers %v", name, h)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} { // no data, no token
		r := s.request(path)
		r.Header.Del("Authorization")
		if answer, body := s.do(r); answer.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d %s", path, answer.StatusCode, body)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// Shapes with which one request is smuggled in another are not answered as two.
func TestGuard_SmuggledRequests(t *testing.T) {
	s := newWorld(t, 1).serve(0)
	auth := "Host: localhost\r\nAuthorization: Bearer " + token + "\r\n"
	for name, raw := range map[string]string{
		"two lengths":           "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "Content-Length: 0\r\nContent-Length: 5\r\n\r\nGET /",
		"length and chunks":     "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/hosts HTTP/1.1\r\n" + auth + "\r\n",
		"a space before colon":  "GET /api/v1/hosts HTTP/1.1\r\nHost : localhost\r\n" + auth + "\r\n",
		"a bare line feed name": "GET /api/v1/hosts HTTP/1.1\nHost: localhost\nHost: other\n\n",
		"two hosts":             "GET /api/v1/hosts HTTP/1.1\r\nHost: a\r\n" + auth + "\r\n",
		"a list of lengths":     "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "Content-Length: 0, 5\r\n\r\nGET /",
		"a length with a sign":  "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "Content-Length: +0\r\n\r\n",
		"no chunks it knows":    "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"chunks, twice":         "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"a header that is none": "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "no colon\r\n\r\n",
		"a zero byte":           "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "X: a\x00b\r\n\r\n",
		"another host in front": "GET http://rebound.example/api/v1/hosts HTTP/1.1\r\n" + auth + "\r\n",
		"a request in a path":   "GET /api/v1/hosts HTTP/1.1 HTTP/1.1\r\n" + auth + "\r\n",
		"a huge header":         "GET /api/v1/hosts HTTP/1.1\r\n" + auth + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		check(t, err)
		_, _ = conn.Write([]byte(raw)) // the server may have closed it
		check(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		buf := make([]byte, 64<<10)
		n := 0
		for n < len(buf) {
			m, err := conn.Read(buf[n:])
			n += m
			if err != nil {
				break
			}
		}
		conn.Close()
		if got := strings.Count(string(buf[:n]), "HTTP/1.1 200"); got > 0 {
			t.Errorf("%s: %d answers:\n%.200s", name, got, buf[:n])
		}
	}
}

// An answer has a tag, by which who has it already gets nothing; it is packed on request.
func TestAPI_TagsAndPacks(t *testing.T) {
	s := newWorld(t, 20).serve(0)
	r := s.request("/api/v1/snapshots?until=" + stamp(5))
	r.Header.Set("Accept-Encoding", "gzip")
	answer, _ := s.do(r)
	tag := answer.Header.Get("ETag")
	if tag == "" || answer.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("headers %v", answer.Header)
	}
	r.Header.Set("If-None-Match", tag)
	if answer, body := s.do(r); answer.StatusCode != http.StatusNotModified || len(body) != 0 {
		t.Errorf("got %d with %d bytes", answer.StatusCode, len(body))
	}
	other := s.request("/api/v1/snapshots?until=" + stamp(6))
	other.Header.Set("If-None-Match", tag)
	if answer, _ := s.do(other); answer.StatusCode != http.StatusOK { // the control
		t.Errorf("another answer has the same tag: %d", answer.StatusCode)
	}
}

// What is told of a job, its runs, and of who died in it is the library's.
func TestAPI_Jobs(t *testing.T) {
	w := newWorldWith(t, 10, (*world).failedJob)
	noon := began.Add(time.Minute)
	s := w.serveWith(0, func(cfg *web.Config) { cfg.Now = func() time.Time { return noon } })
	job := query.JobFilter{Name: "build"}
	newest, err := report.ReadRun(t.Context(), w.db, job, "", noon)
	check(t, err)
	all, err := report.Read(t.Context(), w.db, job, noon)
	check(t, err)
	story, err := why.Process(t.Context(), w.db, query.Identity{PID: 1003}, 0)
	check(t, err)
	runs, err := query.Runs(t.Context(), w.db, job)
	check(t, err)
	events, err := query.Events(t.Context(), w.db, query.Filter{PID: 1003, Types: []string{"exit"}})
	check(t, err)
	failed, err := why.Job(t.Context(), w.db, job)
	check(t, err)
	if len(runs) != 1 || len(events) != 1 || len(failed.Failures) != 1 {
		t.Fatalf("%d runs, %d ends, %d failures", len(runs), len(events), len(failed.Failures))
	}
	for path, want := range map[string]any{
		"report?job=build":                              newest,
		"report?job=build&run=1":                        newest,
		"report?job=build&host=alpha&run=" + runs[0].ID: newest,
		"report?job=build&run=all":                      all,
		"why?pid=1003":                                  story,
		"why?pid=1003&at=" + stamp(4):                   story,
		fmt.Sprintf("why?event=%d", events[0].ID):       story,
	} {
		if status, body := s.get("/api/v1/" + path); status != http.StatusOK || strings.TrimSpace(string(body)) != text(t, want) {
			t.Errorf("%s: got %d %.600s\nwant %.600s", path, status, body, text(t, want))
		}
	}
	if got, want := s.pages("runs?job=build"), text(t, runs); got != want {
		t.Errorf("runs: got %s\nwant %s", got, want)
	}
	var told struct {
		Failures []query.Event
		Coverage []query.Coverage
	}
	_, body := s.get("/api/v1/why?job=build")
	if check(t, json.Unmarshal(body, &told)); len(told.Failures) != 1 || told.Failures[0].PID != 1003 || len(told.Coverage) != 1 {
		t.Errorf("why of a job: %.600s", body)
	}
}

func TestListen_NeedsEncryptionOffLoopback(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80"} {
		if l, err := web.Listen(address, false); !errors.Is(err, web.ErrNeedsTLS) {
			t.Errorf("%s: got %v, %v", address, l, err)
		}
	}
	l, err := web.Listen("0.0.0.0:0", true)
	check(t, err)
	check(t, l.Close())
	if l, err := web.Listen("[::1]:0", false); err == nil {
		check(t, l.Close())
	}
}

func TestNew_RefusesWeakTokens(t *testing.T) {
	w := newWorld(t, 0)
	for _, weak := range []string{"", "short", strings.Repeat("x", web.MinToken-1)} {
		if _, err := web.New(web.Config{DB: w.db, Token: weak}); err == nil {
			t.Errorf("%q is taken", weak)
		}
	}
	s, err := web.New(web.Config{DB: w.db, Token: token}) // without a log
	check(t, err)
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/stream", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	if s.Handler().ServeHTTP(rec, r); rec.Code != http.StatusNotFound {
		t.Errorf("a stream without a log: %d", rec.Code)
	}
}

// A token is made once, rotated on request, and not read from a place that others can read.
func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	first, err := web.ReadToken(path)
	check(t, err)
	if again, err := web.ReadToken(path); err != nil || again != first || len(first) < web.MinToken {
		t.Errorf("got %q, %v, then %q", first, err, again)
	}
	rotated, err := web.RotateToken(path)
	if again, readErr := web.ReadToken(path); err != nil || readErr != nil || rotated == first || again != rotated {
		t.Errorf("rotated to %q, read %q: %v, %v", rotated, again, err, readErr)
	}
	check(t, os.Chmod(path, 0o644))
	if _, err := web.ReadToken(path); err == nil {
		t.Error("a file that all may read is taken")
	}
	check(t, os.Chmod(path, 0o600))
	check(t, os.WriteFile(path, []byte("short\n"), 0o600))
	if _, err := web.ReadToken(path); err == nil {
		t.Error("a short token is taken")
	}
}
