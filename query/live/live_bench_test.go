package live_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// benchLog is a log on a server of its own, which syncs every message as a recorder's does.
func benchLog(b *testing.B) jetstream.JetStream {
	b.Helper()
	server, err := embeddednats.Start(b.Context(), embeddednats.Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	nc, err := server.Connect()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		nc.Close()
		if err := server.Close(); err != nil {
			b.Errorf("close the server: %v", err)
		}
	})
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if err := embeddednats.Declare(b.Context(), js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		b.Fatal(err)
	}
	return js
}

// benchProcesses is how many processes the snapshot of the benchmark has.
const benchProcesses = 200

// benchMessage is a snapshot of 200 processes, ready to be published.
func benchMessage(b *testing.B) *nats.Msg {
	b.Helper()
	m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "alpha", BootID: "boot-1",
		Instance: schema.NewInstance(), Seq: 1, Produced: 1, Wall: 1_700_000_000_000_000_000, Boot: 1e9}, Snapshot: &schema.Snapshot{PressureLevel: "none"}}
	for i := range benchProcesses {
		m.Snapshot.Processes.Append(&schema.Process{PID: 100 + i, PPID: 1, State: "S", Threads: 1, RSS: schema.Some(int64(1000 + i)),
			CPUPermille: schema.Some(int64(i % 10)), Command: fmt.Sprintf("/usr/lib/worker-%d/bin/worker --optimize --threads=8 --output /var/tmp/build/%d", i%20, i)})
	}
	payload, encoding, err := schema.Encode(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	msg := nats.NewMsg(schema.Subject("alpha", schema.KindSnapshot))
	msg.Data = payload
	msg.Header.Set(schema.HeaderType, schema.TypeMsgpack)
	if encoding != "" {
		msg.Header.Set(schema.HeaderEncoding, encoding)
	}
	return msg
}

// BenchmarkFollow publishes snapshots of 200 processes, one when every reader has the one before, and reports how long
// it took from the publishing until a reader had it decoded, and the CPU that the log and the reader used for it. All readers are in this process and share its CPUs.
func BenchmarkFollow(b *testing.B) {
	for _, readers := range []int{1, 10, 50} {
		b.Run(fmt.Sprint("readers=", readers), func(b *testing.B) {
			js, msg := benchLog(b), benchMessage(b)
			arrived := make(chan time.Time, readers)
			ctx, cancel := context.WithCancel(b.Context())
			var following sync.WaitGroup
			b.Cleanup(following.Wait)
			b.Cleanup(cancel)
			for range readers {
				following.Go(func() {
					err := live.Follow(ctx, js, live.Filter{Stream: schema.StreamSnapshots}, func(*schema.Message, uint64) error {
						arrived <- time.Now()
						return nil
					}, func(_ string, err error) { b.Error(err) })
					if err != nil {
						b.Error(err)
					}
				})
			}
			awaitConsumers(b, js, readers)
			var took []time.Duration
			before := processTime(b)
			for b.Loop() {
				took = append(took, publishOne(b, js, msg, arrived, readers)...)
			}
			b.ReportMetric(float64(processTime(b)-before)/1e3/float64(len(took)), "cpu-us/message")
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
		})
	}
}

// processTime is the CPU time that this process has used.
func processTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// publishOne publishes a message and returns how long it took to reach each reader.
func publishOne(b *testing.B, js jetstream.JetStream, msg *nats.Msg, arrived <-chan time.Time, readers int) (took []time.Duration) {
	began := time.Now()
	if _, err := js.PublishMsgAsync(msg); err != nil {
		b.Fatal(err)
	}
	for range readers {
		select {
		case at := <-arrived:
			took = append(took, at.Sub(began))
		case <-time.After(patience):
			b.Fatalf("%d of %d readers have the message after %s", len(took), readers, patience)
		}
	}
	return took
}

// awaitConsumers waits until so many readers wait for what comes.
func awaitConsumers(b *testing.B, js jetstream.JetStream, want int) {
	b.Helper()
	stream, err := js.Stream(b.Context(), schema.StreamSnapshots)
	if err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		waiting := 0
		for info := range stream.ListConsumers(b.Context()).Info() {
			waiting += info.NumWaiting
		}
		if waiting == want {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d readers are there after %s", waiting, want, patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
