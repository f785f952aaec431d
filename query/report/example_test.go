package report_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/schema"
)

// A job of one step ran a compiler, which started at 03:10:00 and exited with an error ten seconds later.
func ExampleRead() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	began := time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC)
	if err := recordJob(dir, began); err != nil {
		log.Fatal(err)
	}

	db, err := query.Open(context.Background(), filepath.Join(dir, "monitor.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	r, err := report.Read(context.Background(), db, query.JobFilter{Name: "build-7"}, began.Add(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(r.Classic())
	// Output:
	// Resource Profile for job 'build-7':
	//   Peak memory: 300.0 MB
	//   Process spawns: 1
	//   Unique PIDs observed: 1
	//
	//   Per-sheet resource peaks:
	//     Sheet 1: peak RSS 300.0 MB, max CPU 95%
	//
	//   Process lifecycle: 1 spawns, 1 exits
}

// recordJob publishes what a sampler would, and projects it into the database monitor.db.
func recordJob(dir string, began time.Time) error {
	ctx, quiet := context.Background(), slog.New(slog.DiscardHandler)
	a, err := embeddednats.Attach(ctx, embeddednats.Config{Dir: dir, Log: quiet}, true)
	if err != nil {
		return err
	}
	js, err := jetstream.New(a.Conn)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	err = embeddednats.Declare(ctx, js, schema.Streams(schema.Policy{}, 1), true)
	step, instance := schema.Some[int64](1), schema.NewInstance()
	for i, m := range []schema.Message{
		{Envelope: schema.Envelope{Kind: schema.KindSpawn}, Events: []schema.Event{{PID: 42, JobID: "build-7", Sheet: step, Source: "bpf"}}},
		{Envelope: schema.Envelope{Kind: schema.KindSnapshot}, Snapshot: &schema.Snapshot{PressureLevel: "none", Processes: schema.ProcessesOf(
			schema.Process{PID: 42, State: "R", JobID: "build-7", Sheet: step, CPUPermille: schema.Some[int64](950), RSS: schema.Some[int64](300 << 10)})}},
		{Envelope: schema.Envelope{Kind: schema.KindExit}, Events: []schema.Event{{PID: 42, JobID: "build-7", Sheet: step, Source: "bpf",
			ExitCode: schema.Some[int64](1)}}},
	} {
		if err != nil {
			break
		}
		m.Version, m.Host, m.BootID, m.Instance, m.Seq, m.Produced = schema.Version, "build-07", "boot-1", instance, 1, uint64(i+1)
		m.Wall, m.Boot = began.Add(time.Duration(i)*5*time.Second).UnixNano(), int64(i+1)*5e9
		for e := range m.Events {
			m.Events[e].Wall, m.Events[e].Boot = m.Wall, m.Boot
		}
		msg := nats.NewMsg("")
		if msg.Subject, msg.Data, err = schema.EncodeMsg(&m, msg.Header); err == nil {
			_, err = js.PublishMsg(ctx, msg)
		}
	}
	if err == nil {
		_, err = projector.Replay(ctx, js, projector.ReplayConfig{DB: filepath.Join(dir, "monitor.db"), Log: quiet})
	}
	return errors.Join(err, a.Close())
}
