package schema_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// A subject names the host first, so that one permission covers all that a host may publish.
func ExampleSubject() {
	fmt.Println(schema.Subject("build-07", schema.KindExit))

	host, kind, err := schema.ParseSubject("proctape.v1.build-07.event.exit")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(host, kind, kind.EventType())
	// Output:
	// proctape.v1.build-07.event.exit
	// build-07 event.exit exit
}

// A machine's name may hold what a subject may not.
func ExampleHostToken() {
	fmt.Println(schema.HostToken("build-07.example.org"), schema.ValidHost("build-07.example.org"))
	// Output: build-07-example-org false
}

// A message is encoded with the headers that go with it, and read by its subject and headers. What it holds is the same then.
func ExampleEncodeMsg() {
	at := time.Date(2026, 11, 23, 3, 10, 0, 0, time.UTC).UnixNano()
	m := &schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindExit, Host: "build-07", BootID: "b7ad", Instance: schema.Instance{1},
			Seq: 1, Wall: at, Boot: 1000e9, Produced: 2},
		Events: []schema.Event{
			{Wall: at, PID: 4242, ExitCode: schema.Some[int64](1), Source: "bpf"},
			{Wall: at + 1, PID: 4243, Source: "scan"},
		},
	}
	headers := nats.Header{}
	subject, payload, err := schema.EncodeMsg(m, headers)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(subject, len(payload) < 200, headers.Get(schema.HeaderItems))

	got, err := schema.DecodeMsg(subject, headers, payload)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range got.Events {
		fmt.Println(e.PID, e.ExitCode.Known, e.ExitCode.Or(-1))
	}

	_, err = schema.DecodeMsg(schema.Subject("build-08", schema.KindExit), headers, payload)
	fmt.Println(errors.Is(err, schema.ErrForged))
	// Output:
	// proctape.v1.build-07.event.exit true 2
	// 4242 true 1
	// 4243 false -1
	// true
}

// Producers in other languages send the same message as JSON, with the content type application/json.
func ExampleDecode_json() {
	payload := []byte(`{"v":2, "kind":"job", "host":"build-07", "boot_id":"b7ad", "instance":"0102030405060708090a0b0c0d0e0f10", "seq":1,
		"wall_ns":1795403400000000000, "boot_ns":1000000000000, "produced":1,
		"jobs":[{"type":"ended", "wall_ns":1795403400000000000, "job_id":"build-7", "exit_code":0}]}`)
	m, err := schema.Decode(schema.TypeJSON, "", payload)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.ID())
	fmt.Println(m.Jobs[0].JobID, m.Jobs[0].Type, m.Jobs[0].ExitCode.V, m.Jobs[0].Sheet.Known)
	// Output:
	// 0102030405060708090a0b0c0d0e0f10.job.1
	// build-7 ended 0 false
}

// A later version's message is refused, and not guessed at: its reader puts it into quarantine.
func ExampleDecode_version() {
	_, err := schema.Decode(schema.TypeJSON, "", []byte(`{"v":99}`))
	fmt.Println(errors.Is(err, schema.ErrVersion))
	// Output: true
}

// A value that may be unknown says whether it is.
func ExampleOpt() {
	var unknown schema.Opt[int64]
	zero := schema.Some[int64](0)
	fmt.Println(unknown.Known, unknown.Or(-1))
	fmt.Println(zero.Known, zero.Or(-1))
	// Output:
	// false -1
	// true 0
}
