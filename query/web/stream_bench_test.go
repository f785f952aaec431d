package web_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// processTime is the CPU time that this process has used.
func processTime(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	check(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loaded returns n snapshots of a host, of 200 processes of which one is of a job, ready to be published.
func (w *world) loaded(host, job string, n int) (all []*nats.Msg) {
	w.Helper()
	instance := schema.NewInstance()
	for i := range n {
		var procs []schema.Process
		for row := range 200 {
			p := schema.Process{PID: 100 + row, PPID: 1, StartTicks: uint64(10 * row), State: "S", Threads: 1, CPUMillis: uint64(125 * i), RSS: schema.Some(int64(1000 + row)),
				Command: fmt.Sprintf("/usr/lib/worker-%d/bin/worker --threads=8 --output /var/tmp/build/%d", row%20, row)}
			if row == 150 {
				p.JobID = job
			}
			procs = append(procs, p)
		}
		at := began.Add(time.Duration(i) * time.Second).UnixNano()
		m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: host, BootID: "boot-1", Instance: instance,
			Seq: uint64(i + 1), Wall: at, Boot: at - began.UnixNano() + int64(time.Hour), Produced: uint64(i + 1)},
			Snapshot: &schema.Snapshot{Tick: uint64(i + 1), Interval: int64(time.Second), PressureLevel: "none", Processes: schema.ProcessesOf(procs...)}}
		msg := nats.NewMsg("")
		var err error
		msg.Subject, msg.Data, err = schema.EncodeMsg(m, msg.Header)
		check(w, err)
		all = append(all, msg)
	}
	return all
}

// put publishes messages.
func (w *world) put(all ...*nats.Msg) {
	w.Helper()
	for _, msg := range all {
		_, err := w.js.PublishMsg(w.Context(), msg)
		check(w, err)
	}
}

// BenchmarkStream reports the CPU that a snapshot of 200 processes costs for each of ten readers, who ask for all, for a host or a job of
// which nothing comes, or for one process of each. It is that of the log, the server and the readers, less what the log takes
// when nobody reads.
func BenchmarkStream(b *testing.B) {
	for name, filter := range map[string]string{"all": "", "host": "&host=beta", "job": "&job=other", "pid": "&pid=142"} {
		b.Run("reads="+name, func(b *testing.B) {
			w := newWorldWith(b, 0, func(w *world) { w.put(w.loaded("beta", "other", 1)...) })
			s := w.serve(0)
			const readers, batch = 10, 20
			alone := costOf(b, w, batch, func() {})
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			ready, arrived := make(chan error, readers), make(chan bool, readers)
			for range readers {
				go func() {
					last := fmt.Sprint("s", 1+batch)
					ready <- s.follow(ctx, "/api/v1/stream?kinds=snapshot"+filter, last, func(e told) bool {
						if isEnd(e.data) {
							arrived <- true
						}
						return true
					})
				}()
			}
			var used time.Duration
			messages := 0
			for b.Loop() {
				used += costOf(b, w, batch, func() {
					w.put(w.loaded("beta", "other", 1)...) // which all of them are told of
					for range readers {
						<-arrived
					}
				})
				messages += batch
			}
			cancel()
			for range readers {
				<-ready
			}
			b.ReportMetric(float64(used-alone*time.Duration(messages/batch))/1e3/float64(messages*readers), "cpu-us/message")
		})
	}
}

// isEnd reports whether a snapshot is the last of a batch.
func isEnd(data []byte) bool { return bytes.Contains(data, []byte(`"host":"beta"`)) }

// costOf is the CPU time that a batch of snapshots of the host alpha takes, with what comes behind it.
func costOf(b *testing.B, w *world, batch int, behind func()) time.Duration {
	all := w.loaded("alpha", "mine", batch)
	before := processTime(b)
	w.put(all...)
	behind()
	return processTime(b) - before
}
