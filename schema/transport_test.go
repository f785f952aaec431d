package schema_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/schema"
)

// spawns is a message of two events.
func spawns() *schema.Message {
	return &schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSpawn, Host: "alpha", BootID: "boot-1", Instance: schema.Instance{1},
			Seq: 7, Wall: 1_795_400_123_456_789_012, Boot: 1, Produced: 8},
		Events: []schema.Event{{Wall: 1_795_400_123_456_789_012, PID: 42, Source: "scan"}, {Wall: 1_795_400_123_456_789_013, PID: 43, Source: "scan"}},
	}
}

func TestEncodeMsg_IsReadByDecodeMsg(t *testing.T) {
	m, headers := spawns(), nats.Header{}
	subject, payload, err := schema.EncodeMsg(m, headers)
	if err != nil {
		t.Fatal(err)
	}
	if subject != "proctape.v1.alpha.event.spawn" || headers.Get(nats.MsgIdHdr) != m.ID() || headers.Get(schema.HeaderItems) != "2" {
		t.Errorf("got subject %s and headers %v", subject, headers)
	}
	got, err := schema.DecodeMsg(subject, headers, payload)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, %v, want %+v", got, err, m)
	}
	if _, err := schema.DecodeMsg(subject, nats.Header(nil), payload); err != nil {
		t.Errorf("without headers: %v", err)
	}
}

// A message speaks for the host and the kind of its subject alone.
func TestDecodeMsg_RefusesForgeries(t *testing.T) {
	_, payload, err := schema.EncodeMsg(spawns(), nats.Header{})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"proctape.v1.beta.event.spawn", "proctape.v1.alpha.event.exit"} {
		if _, err := schema.DecodeMsg(subject, nats.Header{}, payload); !errors.Is(err, schema.ErrForged) {
			t.Errorf("on %s: got %v, want ErrForged", subject, err)
		}
	}
	if _, err := schema.DecodeMsg("elsewhere", nats.Header{}, payload); err == nil {
		t.Error("it takes a message on a subject that is none of ours")
	}
}
