package embeddednats_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// addHost makes a host's key.
func addHost(t *testing.T, dir, name string) embeddednats.Key {
	t.Helper()
	var seed bytes.Buffer
	if _, err := embeddednats.AddHost(dir, name, &seed); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".nk")
	if err := os.WriteFile(path, seed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadKey(t, path)
}

func loadKey(t *testing.T, path string) embeddednats.Key {
	t.Helper()
	key, err := embeddednats.LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signIn connects with a key, as a client on another machine does but for the network.
func signIn(t *testing.T, s nats.InProcessConnProvider, key embeddednats.Key) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", append(key.Options(), nats.InProcessServer(s), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// The rows of the table: who may publish or subscribe where. h1 is the host whose key "host" is, and whose members the key "member" is for; an admin may all of it.
const (
	host, reader, projector, conductor, member = "host", "reader", "projector", "conductor", "member"
)

var publishTable = map[string]string{
	"proctape.v1.h1.snapshot": host, "proctape.v1.h1.event.spawn": host, "proctape.v1.h1.event.exec": host, "proctape.v1.h1.event.exit": host,
	"proctape.v1.h1.event.signal": host, "proctape.v1.h1.event.kill": host, "proctape.v1.h1.event.oom": host, "proctape.v1.h1.event.gap": host,
	"proctape.v1.h1.job": host + " " + conductor + " " + member, "proctape.v1.h1.answer.x": host, "proctape.v1.h1.ask.jobs": host + " " + member,
	"proctape.v1.h1.ask.sampler": host + " " + conductor + " " + member,
	// what no sampler makes, and what others do
	"proctape.v1.h1.event.other": "", "proctape.v1.h1.event": "", "proctape.v1.h1.anomaly.x": projector, "proctape.v1.h1.rollup": projector,
	"proctape.v1.h1.control.trace": "", "proctape.v1.h1.ask.other": "", "proctape.v1.h1.snapshot.x": "",
	// another host, and the fleet
	"proctape.v1.h2.snapshot": "", "proctape.v1.h2.event.spawn": "", "proctape.v1.h2.event.gap": "", "proctape.v1.h2.job": conductor,
	"proctape.v1.h2.rollup": projector, "proctape.v1.h2.control.trace": "", "proctape.v1.h2.answer.x": "", "proctape.v1.h2.ask.jobs": "",
	"proctape.v1.h2.ask.sampler": conductor, "proctape.v1._.job": conductor, "proctape.v1._.snapshot": "", "proctape.v1._.event.exit": "", "proctape.v1._.ask.jobs": "", "proctape.v1.H1.snapshot": "",
	"proctape.v2.h1.snapshot": "", "proctape.other": "", "other": "",
	// retention, and the server's own
	"proctape.ops.tick.retention": projector, "proctape.ops.schedule.retention": projector, "proctape.ops.other": "",
	"proctape.recorder.state": reader + " " + projector, "proctape.recorder.other": "", "proctape.keys.disconnect": "", "$SYS.REQ.SERVER.PING": "", "$SYS.REQ.USER.INFO": "", "$SYS.REQ.ACCOUNT.PING.CONNZ": "",
	"_INBOX.x": "", "_INBOX_x.y": "", "_R_.x": "", "$JS.FC.PROCTAPE_EVENTS.x": "",
	"$JS.EVENT.ADVISORY.x": "", "$JSC.CI.x": "", "$KV.x": "", "$O.x": "", "$SRV.PING": "",
	"$JS.API.INFO": "", "$JS.API.ACCOUNT.PURGE.x": "", "$JS.API.SERVER.REMOVE": "", "$JS.API.STREAM.NAMES": "", "$JS.API.STREAM.LIST": "",
	"$JS.API.STREAM.INFO.OTHER": "", "$JS.API.STREAM.CREATE.OTHER": "", "$JS.API.DIRECT.GET.OTHER": "",
}

// streamTable is the API of a stream: % is the stream, and its name is a row's own when it is not one of the data streams.
var streamTable = map[string]string{
	"$JS.API.STREAM.CREATE.%": "", "$JS.API.STREAM.UPDATE.%": "", "$JS.API.STREAM.DELETE.%": "", "$JS.API.STREAM.INFO.%": reader + " " + projector,
	"$JS.API.STREAM.PURGE.%": projector, "$JS.API.STREAM.MSG.GET.%": projector, "$JS.API.STREAM.MSG.DELETE.%": "",
	"$JS.API.STREAM.SNAPSHOT.%": "", "$JS.API.STREAM.RESTORE.%": "", "$JS.API.STREAM.LEADER.STEPDOWN.%": "", "$JS.API.STREAM.PEER.REMOVE.%": "",
	"$JS.API.DIRECT.GET.%": reader + " " + projector, "$JS.API.DIRECT.GET.%.proctape.v1.h1.snapshot": reader + " " + projector,
	"$JS.API.CONSUMER.CREATE.%": "", "$JS.API.CONSUMER.CREATE.%.c": projector, "$JS.API.CONSUMER.CREATE.%.c.proctape.v1.h1.job": projector,
	"$JS.API.CONSUMER.DURABLE.CREATE.%.c": "", "$JS.API.CONSUMER.INFO.%.c": projector, "$JS.API.CONSUMER.LIST.%": projector,
	"$JS.API.CONSUMER.NAMES.%": "", "$JS.API.CONSUMER.MSG.NEXT.%.c": projector, "$JS.API.CONSUMER.RESET.%.c": projector,
	"$JS.API.CONSUMER.DELETE.%.c": projector, "$JS.API.CONSUMER.PAUSE.%.c": "", "$JS.API.CONSUMER.UNPIN.%.c": "",
	"$JS.ACK.%.c.1.2.3.4.5": projector, "$JS.ACK._.x.%.c.1.2.3.4.5.6": "",
}

var subscribeTable = map[string]string{
	"proctape.v1.h1.job": host + " " + member, "proctape.v1._.job": host + " " + member, "proctape.v1.h1.control.trace": host, "proctape.v1.h1.control.>": host,
	"proctape.v1.h1.snapshot": "", "proctape.v1.h1.>": "", "proctape.v1.h1.answer.>": "", "proctape.v1.*.job": "", "proctape.v1.h2.job": "", "proctape.v1._.snapshot": "", "proctape.v1._.>": "",
	"proctape.v1.h2.control.trace": "", "proctape.v1.h2.snapshot": "", "proctape.v1.>": "", "proctape.ops.>": "", "proctape.keys.>": "",
	">": "", "*": "", "$JS.>": "", "$SYS.>": "", "_INBOX.>": "", "_INBOX_other.>": "", "_R_.>": "",
}

// allRows are the table with the streams' names put in.
func allRows() map[string]string {
	rows := map[string]string{}
	for subject, roles := range publishTable {
		rows[subject] = roles
	}
	for subject, roles := range streamTable {
		for _, name := range append([]string{schema.StreamOps}, schema.DataStreams...) {
			may := roles
			if name == schema.StreamOps {
				may = strings.TrimSpace(strings.ReplaceAll(may, reader, ""))
			}
			rows[strings.Replace(subject, "%", name, 1)] = may
		}
	}
	return rows
}

// roleKeys are the keys of a data folder: of each role, and of the host h1.
func roleKeys(t *testing.T, dir string) map[string]embeddednats.Key {
	t.Helper()
	keys := map[string]embeddednats.Key{host: addHost(t, dir, "h1")}
	for _, role := range []embeddednats.Role{embeddednats.RoleReader, embeddednats.RoleProjector, embeddednats.RoleConductor, embeddednats.RoleMember, embeddednats.RoleAdmin} {
		keys[string(role)] = loadKey(t, embeddednats.RoleKeyPath(dir, role))
	}
	return keys
}

// TestRoles_MayDoNoMoreThanTheTable tries every row with a connection of every role.
func TestRoles_MayDoNoMoreThanTheTable(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embeddednats.Config{Dir: dir, Host: "h1", Log: quiet})
	defer closeServer(t, s)
	admin, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	stream(t, admin)
	for role, key := range roleKeys(t, dir) {
		t.Run(role, func(t *testing.T) {
			nc := signIn(t, s, key)
			for _, problem := range slices.Concat(
				compareRows(t, nc, role, "publish to", allRows(), func(subject string) error { return nc.Publish(subject, []byte("{}")) }),
				compareRows(t, nc, role, "subscribe to", subscribeTable, func(subject string) error {
					sub, err := nc.SubscribeSync(subject)
					if err == nil {
						t.Cleanup(func() { _ = sub.Unsubscribe() })
					}
					return err
				})) {
				t.Error(problem)
			}
		})
	}
	t.Run("hosts with the names of roles", func(t *testing.T) {
		for _, name := range []string{"admin", "projector", "reader", "readers", "conductor", "conductors", "member", "members", "host", "host-h1"} {
			nc := signIn(t, s, addHost(t, dir, name))
			for _, subject := range []string{">", "proctape.v1.>", "proctape.v1.h1.job"} {
				if _, err := nc.SubscribeSync(subject); err != nil {
					t.Fatal(err)
				}
				if err := nc.Flush(); err != nil {
					t.Fatal(err)
				}
				if nc.LastError() == nil || !strings.Contains(nc.LastError().Error(), `"`+subject+`"`) {
					t.Errorf("a host called %s may subscribe to %s", name, subject)
				}
			}
			publish := func(subject string) error { return nc.Publish(subject, []byte("{}")) }
			for _, problem := range compareRows(t, nc, "nobody", "publish to", allRows(), publish) {
				t.Errorf("a host called %s %s", name, problem)
			}
		}
	})
	t.Run("the table finds a role that may too much, or too little", func(t *testing.T) {
		nc := signIn(t, s, loadKey(t, embeddednats.AdminKeyPath(dir)))
		publish := func(subject string) error { return nc.Publish(subject, nil) }
		if len(compareRows(t, nc, host, "publish to", map[string]string{"proctape.v1.h2.snapshot": ""}, publish)) == 0 {
			t.Error("nobody notices a host that publishes as another")
		}
		nc = signIn(t, s, loadKey(t, embeddednats.RoleKeyPath(dir, embeddednats.RoleReader)))
		if len(compareRows(t, nc, host, "publish to", map[string]string{"proctape.v1.h1.snapshot": host}, publish)) == 0 {
			t.Error("nobody notices a host that may not publish")
		}
	})
}

// compareRows tries rows of a table and returns what the server judged otherwise. It tells by what the connection last was
// refused: the server answers a refusal before the next ping.
func compareRows(t *testing.T, nc *nats.Conn, role, verb string, rows map[string]string, try func(subject string) error) []string {
	t.Helper()
	var problems []string
	for subject, roles := range rows {
		if err := try(subject); err != nil {
			t.Fatalf("%s %s: %v", verb, subject, err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatalf("%s %s: %v", verb, subject, err)
		}
		refused := nc.LastError() != nil && strings.Contains(nc.LastError().Error(), `"`+subject+`"`)
		want := role == "admin" || slices.Contains(strings.Fields(roles), role)
		if want == refused {
			problems = append(problems, map[bool]string{true: "may not ", false: "may "}[refused]+verb+" "+subject)
		}
	}
	return problems
}
