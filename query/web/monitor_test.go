package web_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/query/web"
)

// A dashboard that knows the monitor's two paths finds what it knows: the events, the headers, and every key of the contract.
func TestMonitor(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	w := newWorld(t, 5)
	noon := began.Add(10 * time.Second)
	s := w.serveWith(0, func(cfg *web.Config) { cfg.Now = func() time.Time { return noon } })
	status, body := s.get("/api/monitor/snapshot?host=alpha")
	var newest map[string]any
	if check(t, json.Unmarshal(body, &newest)); status != http.StatusOK || newest["timestamp"] != float64(began.Unix()+4) {
		t.Fatalf("got %d %s", status, body)
	}
	for _, key := range strings.Fields("timestamp daemon_pid system_memory_total_mb daemon_rss_mb load_avg_15 processes gpus pressure_level running_jobs " +
		"active_sheets zombie_count zombie_pids job_progress conductor_uptime_seconds") {
		if v, ok := newest[key]; !ok || v == nil {
			t.Errorf("%s is %v", key, v)
		}
	}
	var names []string
	check(t, s.follow(t.Context(), "/api/monitor/stream?source=auto&poll_interval=0.5", "", func(e told) bool {
		names = append(names, e.name)
		return len(names) < 3 // a heartbeat comes last: nothing new is stored
	}))
	if got := strings.Join(names, " "); got != "connected snapshot heartbeat" {
		t.Errorf("got %s", got)
	}
	for path, want := range map[string]int{"snapshot?host=beta": 400, "stream?source=x": 400, "stream?poll_interval=0.1": 400, "stream?poll_interval=NaN": 400} {
		if status, body := s.get("/api/monitor/" + path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	// The controls: an old snapshot is none of now, and no record has none.
	late := w.serveWith(0, func(cfg *web.Config) { cfg.Now = func() time.Time { return noon.Add(time.Hour) } })
	if status, _ := late.get("/api/monitor/snapshot"); status != http.StatusNotFound {
		t.Errorf("an hour later: %d", status)
	}
	empty := newWorld(t, 0).serve(0)
	for _, path := range []string{"snapshot", "stream"} {
		if status, _ := empty.get("/api/monitor/" + path); status != http.StatusServiceUnavailable {
			t.Errorf("without a record, %s: %d", path, status)
		}
	}
}

// The stream takes the filters of the listings.
func TestStream_Filters(t *testing.T) {
	w := newWorldWith(t, 9, (*world).failedJob)
	s := w.serve(0)
	for path, want := range map[string]string{
		"kinds=event&pid=1004":                "spawn 1004",
		"kinds=event&failed=true":             "exit 1003",
		"kinds=event&signal=9":                "exit 1003",
		"kinds=event&job=build":               "exit 1003",
		"kinds=event&type=exit":               "exit 1003",
		"kinds=event&command=made+6":          "spawn 1006",
		"kinds=event&host=alpha&command=de+8": "spawn 1008",
		"kinds=snapshot&pid=42":               "snapshot 42",
		"kinds=snapshot&state=S":              "snapshot 42",
	} {
		got := ""
		check(t, s.follow(t.Context(), "/api/v1/stream?since=0&"+path, "", func(e told) bool {
			var v struct {
				Type      string `json:"event_type"`
				PID       int
				Processes []struct{ PID int }
			}
			check(t, json.Unmarshal(e.data, &v))
			if got = fmt.Sprint(v.Type, " ", v.PID); e.name == "snapshot" {
				got = fmt.Sprint("snapshot ", v.Processes[0].PID)
			}
			return false
		}))
		if got != want {
			t.Errorf("%s: first comes %q, want %q", path, got, want)
		}
	}
}

// A hundred readers, of whom half take nothing, hold little memory each.
func TestStream_MemoryOfReaders(t *testing.T) {
	w := newWorld(t, 1)
	s := w.serve(0)
	first := s.subscribe(false) // what is held once however many there are
	defer first.Close()
	const readers = 100
	before := memoryInUse()
	for i := range readers {
		conn := s.subscribe(i%2 == 0)
		defer conn.Close()
	}
	for i := range 50 {
		w.spawn(1 + i)
	}
	// The events have come to whoever reads.
	buf := make([]byte, 64<<10)
	check(t, first.SetReadDeadline(time.Now().Add(5*time.Minute)))
	for seen := ""; !strings.Contains(seen, "made 50"); {
		n, err := first.Read(buf)
		check(t, err)
		seen = seen[max(0, len(seen)-100):] + string(buf[:n])
	}
	each := int64(memoryInUse()-before) / readers
	t.Logf("%d KiB a reader", each>>10)
	if !raceDetector && each > 64<<10 {
		t.Errorf("a reader holds %d KiB", each>>10)
	}
}

// subscribe opens the stream on a plain connection, and reads the beginning unless it is frozen.
func (s *site) subscribe(frozen bool) net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	check(s, err)
	fmt.Fprintf(conn, "GET /api/v1/stream?kinds=event HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token)
	if !frozen {
		check(s, conn.SetReadDeadline(time.Now().Add(5*time.Minute)))
		buf := make([]byte, 512)
		for got := ""; !strings.Contains(got, "\n: \n\n") && !strings.Contains(got, ": \n\n"); {
			n, err := conn.Read(buf)
			check(s, err)
			got += string(buf[:n])
		}
	}
	return conn
}

// memoryInUse is what the program holds, in bytes, goroutines' stacks included.
func memoryInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
