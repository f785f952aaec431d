package publish_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/schema"
)

// A program that knows more of its processes than /proc says publishes a snapshot and an event of its own.
func Example() {
	nc, err := nats.Connect("nats://localhost:4222", nats.ReconnectBufSize(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	p, err := publish.New(nc, publish.Config{
		Origin: publish.Origin{Host: "cell-7", BootID: "2026-11-23T02:00", Instance: schema.NewInstance()}})
	if err != nil {
		log.Fatal(err)
	}
	now, uptime := time.Now().UnixNano(), int64(time.Hour)
	err = p.OfferSnapshot(now, uptime, &schema.Snapshot{
		Interval: int64(5 * time.Second), Tick: 1, CPUs: 8, MemoryTotal: 16 << 20, MemoryAvail: 9 << 20, PressureLevel: "none",
		Processes: schema.ProcessesOf(schema.Process{PID: 41, StartTicks: 1234, State: "R", Command: "render", RSS: schema.Some[int64](70_000)}),
	})
	if err != nil {
		log.Fatal(err)
	}
	err = p.OfferEvents(now, uptime, []schema.KindedEvent{
		{Kind: schema.KindSpawn, Event: schema.Event{Wall: now, Boot: uptime, PID: 41, StartTicks: 1234, Command: "render", Source: "cell"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop() // a program that goes on keeps Run going
	fmt.Println(p.Run(ctx), p.Stats().Acked)
}
