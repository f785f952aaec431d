package web_test

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/web"
	"github.com/proctape/proctape/schema"
)

// places are where a server can be asked, one after another, as it is started again and again.
type places struct {
	mu    sync.Mutex
	now   *site
	moved chan struct{} // closed when there is another
}

func (p *places) is(s *site) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = s
	if p.moved != nil {
		close(p.moved)
	}
	p.moved = make(chan struct{})
}

func (p *places) get() (*site, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.moved
}

// A hundred readers, of whom half take nothing, and a server that is started three times again: each of the others is told each
// event once. The control forgets how far it has come, and is told some twice.
func TestStream_HundredReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const frozen, reading, batch, restarts = 50, 50, 40, 3
	doubled, missing := hundredReaders(t, frozen, reading, batch, restarts, true)
	if doubled+missing > 0 {
		t.Errorf("%d events were told twice, %d not", doubled, missing)
	}
	if doubled, _ := hundredReaders(t, 0, 1, batch, 1, false); doubled == 0 {
		t.Error("a reader that begins anew is told nothing twice: the test sees nothing")
	}
}

// hundredReaders returns how many events were told twice, and how many not at all, over all readers.
func hundredReaders(t *testing.T, frozen, reading, batch, restarts int, resume bool) (doubled, missing int) {
	w := newWorld(t, 0)
	site := w.serve(0)
	at := &places{}
	at.is(site)
	var done sync.WaitGroup
	var mu sync.Mutex
	some := make(chan bool, 1<<16) // one for each event of a batch's first half that a reader has
	all := batch * (restarts + 1)
	for range reading {
		done.Go(func() {
			seen := seenBy(t, at, all, resume, some)
			mu.Lock()
			defer mu.Unlock()
			for i := range all {
				doubled += max(0, seen[i]-1)
				if seen[i] == 0 {
					missing++
				}
			}
		})
	}
	next := 0
	for round := range restarts + 1 {
		for range frozen { // they ask, and read nothing
			conn, err := net.Dial("tcp", strings.TrimPrefix(site.url, "http://"))
			check(t, err)
			defer conn.Close()
			fmt.Fprintf(conn, "GET /api/v1/stream?since=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token)
		}
		for range batch {
			w.spawn(next)
			next++
		}
		if round == restarts {
			break
		}
		for range reading * batch / 2 { // the server goes away in the middle of what it tells
			<-some
		}
		port := site.port()
		site.stop()
		site = w.serve(port)
		at.is(site)
	}
	done.Wait()
	return doubled, missing
}

// seenBy reads until the last event has come, and returns how often each was told.
func seenBy(t *testing.T, at *places, all int, resume bool, some chan<- bool) []int {
	seen, last := make([]int, all), ""
	for {
		site, moved := at.get()
		ended := false
		_ = site.follow(t.Context(), "/api/v1/stream?kinds=event&since=0", last, func(e told) bool { // it may be away already
			var i int
			if _, err := fmt.Sscanf(commandOf(t, e), "made %d", &i); err != nil || i >= all {
				t.Errorf("told %s", e.data)
				return false
			}
			seen[i]++
			select {
			case some <- true:
			default:
			}
			if resume {
				last = e.id
			}
			ended = i == all-1
			return !ended
		})
		if ended || t.Context().Err() != nil {
			return seen
		}
		<-moved
	}
}

// Readers who take nothing of much that is there for them hold little memory each, whether they are told what comes or what was. Of what was,
// each holds the message that it is being told.
func TestStream_MemoryOfFrozenReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for name, since := range map[string]string{"what comes": "", "what was": "&since=0"} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(web.SetWriteTime(time.Hour)) // a slow machine lets none of them go
			w := newWorld(t, 0)
			all := w.loaded("alpha", "mine", 40)
			if since != "" {
				w.put(all...)
			}
			s := w.serve(0)
			conn := s.frozen(since) // what is held once however many there are
			defer conn.Close()
			if since == "" {
				awaitGoroutines(t, 1, "web.(*client).wait")
				w.put(all[:20]...)
			}
			awaitGoroutines(t, 1, "waitWrite")
			const readers = 100
			before := memoryInUse()
			for range readers {
				conn := s.frozen(since)
				defer conn.Close()
			}
			if since == "" {
				awaitGoroutines(t, readers, "web.(*client).wait")
				w.put(all[20:]...)
			}
			awaitGoroutines(t, 1+readers, "waitWrite")
			each := int64(memoryInUse()-before) / readers
			t.Logf("%d KiB a reader", each>>10)
			if since != "" {
				each -= jsonBytes(t, all[0]) * 3 / 2 // memory comes in steps
			}
			if !raceDetector && each > 64<<10 {
				t.Errorf("a reader holds %d KiB", each>>10)
			}
		})
	}
}

// jsonBytes is how long a snapshot is as clients are told it.
func jsonBytes(t *testing.T, msg *nats.Msg) int64 {
	t.Helper()
	m, err := schema.DecodeMsg(msg.Subject, msg.Header, msg.Data)
	check(t, err)
	b, err := json.Marshal(query.SnapshotFromMessage(m))
	check(t, err)
	return int64(len(b))
}

// frozen opens the stream of snapshots on a connection that takes little, and reads nothing.
func (s *site) frozen(since string) net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	check(s, err)
	check(s, conn.(*net.TCPConn).SetReadBuffer(4096))
	fmt.Fprintf(conn, "GET /api/v1/stream?kinds=snapshot%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", since, token)
	return conn
}

// awaitGoroutines waits until so many goroutines that serve clients are in a function.
func awaitGoroutines(t *testing.T, want int, function string) {
	t.Helper()
	clients := regexp.MustCompile(`(?m)^(\d+) @`)
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var profile strings.Builder
		check(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
		got := 0
		for _, stack := range strings.Split(profile.String(), "\n\n") {
			if strings.Contains(stack, function) && strings.Contains(stack, "web.(*Server).stream") {
				n := 0
				if m := clients.FindStringSubmatch(stack); m != nil {
					fmt.Sscan(m[1], &n)
				}
				got += n
			}
		}
		if got >= want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d clients are in %s, want %d", got, function, want)
		}
	}
}
