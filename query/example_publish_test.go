package query_test

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
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// A program that knows its processes from elsewhere than /proc, such as a scheduler of a cluster, publishes snapshots and
// events of its own. The projector makes rows of them as of any others, and the program reads them back.
func Example_ownMessages() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "monitor.db")
	if err := recordRender(context.Background(), dir, path); err != nil {
		log.Fatal(err)
	}
	if err := readRender(context.Background(), path); err != nil {
		log.Fatal(err)
	}
	// Output:
	// snapshot of cell-7: render, 68 MB, job frames
	// spawn of render by pid 1, says cell
}

// recordRender runs a server on dir, publishes to it, and projects its log into the database at path. On the folder of a
// recorder, Attach connects to the recorder's server, and the recorder projects.
func recordRender(ctx context.Context, dir, path string) (err error) {
	quiet := slog.New(slog.DiscardHandler)
	server, err := embeddednats.Attach(ctx, embeddednats.Config{Dir: dir, Log: quiet}, true, nats.ReconnectBufSize(-1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	js, err := jetstream.New(server.Conn)
	if err != nil {
		return err
	}
	if err := embeddednats.Declare(ctx, js, schema.Streams(schema.Policy{}, 1), true); err != nil {
		return err
	}
	if err := publishRender(ctx, server.Conn); err != nil {
		return err
	}
	_, err = projector.Replay(ctx, js, projector.ReplayConfig{DB: path, Log: quiet})
	return err
}

// publishRender publishes the start of a process, and a snapshot in which it runs.
func publishRender(ctx context.Context, nc *nats.Conn) error {
	p, err := publish.New(nc, publish.Config{
		Origin: publish.Origin{Host: "cell-7", BootID: "2026-11-23T02:00", Instance: schema.NewInstance()}})
	if err != nil {
		return err
	}
	now, uptime := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC).UnixNano(), int64(time.Hour)
	err = p.OfferEvents(now, uptime, []schema.KindedEvent{{Kind: schema.KindSpawn, Event: schema.Event{
		Wall: now, Boot: uptime, PID: 41, PPID: schema.Some[int64](1), StartTicks: 359_000, Command: "render", JobID: "frames", Source: "cell"}}})
	if err != nil {
		return err
	}
	err = p.OfferSnapshot(now, uptime, &schema.Snapshot{
		Interval: int64(5 * time.Second), Tick: 1, CPUs: 8, MemoryTotal: 16 << 20, MemoryAvail: 9 << 20, PressureLevel: "none",
		Processes: schema.ProcessesOf(schema.Process{PID: 41, PPID: 1, StartTicks: 359_000, State: "R", Command: "render", JobID: "frames",
			RSS: schema.Some[int64](68 << 10)})})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	stop() // Run publishes what waits, and returns; a program that goes on keeps it going
	return p.Run(ctx)
}

// readRender prints what the database says of the host.
func readRender(ctx context.Context, path string) error {
	db, err := query.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	snapshots, err := query.Snapshots(ctx, db, query.Range{Host: "cell-7", Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		for _, p := range s.Processes {
			fmt.Printf("snapshot of %s: %s, %.0f MB, job %s\n", s.Host, p.Command, p.RSS, *p.JobID)
		}
	}
	events, err := query.Events(ctx, db, query.Filter{Job: "frames"})
	if err != nil {
		return err
	}
	for _, e := range events {
		fmt.Printf("%s of %s by pid %d, says %s\n", e.Type, e.Command, *e.PPID, e.Source)
	}
	return nil
}
