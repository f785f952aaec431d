package embeddednats_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// listened are subjects on which somebody listens: every stream, the schedule and its ticks, the parts that answer hosts,
// and the samplers; also the server's own. A server that writes there because a client named the subject for its answer is
// the client's deputy.
func listened() []string {
	subjects := []string{schema.SubjectSchedule, schema.SubjectTick, "proctape.ops.other", "proctape.keys.disconnect",
		"$JS.API.STREAM.PURGE." + schema.StreamEvents, "$JS.API.CONSUMER.MSG.NEXT." + schema.StreamEvents + ".c", "$JS.ACK." + schema.StreamEvents + ".c.1.1.1.1.1",
		"$JS.FC.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.CONNZ", "_R_.x", "_GR_.x"}
	for _, host := range []string{"h1", "h2", schema.Fleet} {
		for _, k := range schema.Kinds() {
			subjects = append(subjects, schema.Subject(host, k.Kind))
		}
		subjects = append(subjects, schema.SubjectPrefix+host+".event.other", schema.SubjectPrefix+host+".anomaly.x", schema.BacklogSubject(host),
			schema.SamplerSubject(host), schema.ControlSubject(host, "trace"), schema.AnswerSubject(host, "x"))
	}
	return subjects
}

// attack has a connection name each of the subjects for an answer, in every way that it has. What it publishes itself says
// "sent", a number, and where.
type attack struct {
	nc  *nats.Conn
	may []string // subjects, with wildcards, on which it may publish

	mu   sync.Mutex
	n    int
	sent map[string]bool // payloads, with the subject
}

// payload is a new payload for a subject.
func (a *attack) payload(subject string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n++
	payload := fmt.Sprintf("sent %d to %s", a.n, subject)
	a.sent[payload] = true
	return []byte(payload)
}

// publish publishes one message of its own.
func (a *attack) publish(t *testing.T, subject, reply string, header nats.Header) {
	t.Helper()
	if err := a.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Header: header, Data: a.payload(subject)}); err != nil {
		t.Fatal(err)
	}
}

// answer answers what it hears on a subject. It returns what waits until all has been heard that it published there.
func (a *attack) answer(t *testing.T, subject string) (wait func()) {
	t.Helper()
	last := make(chan struct{})
	sub, err := a.nc.Subscribe(subject, func(msg *nats.Msg) {
		if msg.Reply == a.nc.Opts.InboxPrefix+".last" {
			close(last)
			return
		}
		_ = a.nc.Publish(msg.Reply, append([]byte("answer "), a.payload(msg.Reply)...)) // without a reply there is nothing to answer
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		a.publish(t, subject, a.nc.Opts.InboxPrefix+".last", nil)
		select {
		case <-last:
		case <-time.After(5 * time.Minute):
			t.Fatal("it does not hear what it published on " + subject)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

// run publishes on each of its subjects with each subject for the answer; answers what it hears of that itself; names the
// subjects in the headers that make the server write; and asks for messages to be brought there.
func (a *attack) run(t *testing.T, subjects, requests, hears []string) {
	t.Helper()
	var waits []func()
	for _, subject := range hears {
		waits = append(waits, a.answer(t, subject))
	}
	for _, reply := range listened() {
		for _, own := range subjects {
			a.publish(t, own, reply, nil)
		}
	}
	for _, wait := range waits {
		wait()
	}
	for _, reply := range listened() {
		for _, own := range subjects {
			a.publish(t, own, "", nats.Header{"Nats-Trace-Dest": {reply}})
			a.publish(t, own, "", nats.Header{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {reply}})
			a.publish(t, own, reply, nats.Header{"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}})
			a.publish(t, own, reply+".u.1.0.1.0.$FI", nil) // a fast batch keeps its settings in the reply
			a.publish(t, own, reply, nats.Header{"Nats-Rollup": {"all"}, "Nats-TTL": {"1s"}})
		}
		for _, request := range requests {
			if err := a.nc.PublishRequest(request, reply, []byte(`{"seq":1,"batch":5,"since":"2000-01-01T00:00:00Z"}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// bystander notes what comes on the subjects of the log's account, and what comes to another host.
type bystander struct {
	mu   sync.Mutex
	seen []string
}

func (b *bystander) note(msg *nats.Msg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.HasPrefix(msg.Subject, "proctape.") {
		b.seen = append(b.seen, msg.Subject+": "+string(msg.Data))
	}
}

// written returns what the server, and not the attacker, has put on a subject of the log: in a stream, or before somebody who
// listens there.
func (a *attack) written(t *testing.T, js jetstream.JetStream, b *bystander) []string {
	t.Helper()
	var found []string
	judge := func(subject, payload string) {
		own := slices.ContainsFunc(a.may, func(may string) bool { return server.SubjectsCollide(may, subject) })
		honest := a.sent[strings.TrimPrefix(payload, "answer ")] && strings.HasSuffix(payload, " to "+subject) && own
		traced := strings.Contains(payload, "Nats-Trace-Dest") && own // the server checks that the key may publish there
		if !honest && !traced && !slices.Contains(payloadsOfOthers, payload) {
			found = append(found, fmt.Sprintf("%s: %.80s", subject, payload))
		}
	}
	for _, name := range append([]string{schema.StreamOps}, schema.DataStreams...) {
		st, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		stored := map[string]int{}
		for seq := uint64(1); seq <= st.CachedInfo().State.LastSeq; seq++ {
			msg, err := st.GetMsg(t.Context(), seq)
			if err != nil {
				t.Fatalf("message %d of %s: %v", seq, name, err)
			}
			judge(msg.Subject, string(msg.Data))
			if stored[string(msg.Data)]++; stored[string(msg.Data)] == 2 {
				found = append(found, fmt.Sprintf("%s: twice: %.80s", msg.Subject, msg.Data))
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range b.seen {
		subject, payload, _ := strings.Cut(line, ": ")
		if !strings.Contains(payload, `"batch":5`) { // a request of the attacker's
			judge(subject, payload)
		}
	}
	return found
}

// payloadsOfOthers are what an honest admin has published before, once each.
var payloadsOfOthers = []string{"a snapshot", "a job event", "an event", "the end"}

// tryAttack puts a log on a server, has a key attack it, and returns what the server wrote.
func tryAttack(t *testing.T, admin *nats.Conn, a *attack, subjects, requests, hears []string) []string {
	t.Helper()
	js := stream(t, admin)
	for subject, payload := range map[string]string{"proctape.v1.h2.snapshot": "a snapshot", "proctape.v1.h2.job": "a job event", "proctape.v1.h2.event.spawn": "an event"} {
		if _, err := js.Publish(t.Context(), subject, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	b := new(bystander)
	if _, err := admin.Subscribe(">", b.note); err != nil {
		t.Fatal(err)
	}
	a.sent = map[string]bool{}
	a.run(t, subjects, requests, hears)
	// The server answers what one stream took in order. What it put elsewhere for an answer comes before these.
	for range 3 {
		if err := a.nc.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, subject := range subjects {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			if msg, err := a.nc.RequestWithContext(ctx, subject, a.payload(subject)); err != nil || strings.Contains(string(msg.Data), "error") {
				t.Fatalf("an honest message on %s: %v", subject, err)
			}
			cancel()
		}
	}
	settle(t, js)
	if err := admin.Flush(); err != nil {
		t.Fatal(err)
	}
	return a.written(t, js, b)
}

// settle waits until every stream has taken what the server has for it.
func settle(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	for _, subject := range []string{"proctape.v1.h2.snapshot", "proctape.v1.h2.event.spawn", "proctape.v1.h2.rollup", "proctape.ops.other"} {
		payload := "the end of " + subject
		payloadsOfOthers = append(payloadsOfOthers, payload)
		if _, err := js.Publish(t.Context(), subject, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
}

// hostSubjects and hostRequests are what a host's key may publish.
var (
	hostSubjects = []string{"proctape.v1.h1.snapshot", "proctape.v1.h1.event.spawn", "proctape.v1.h1.job"}
	hostRequests = []string{"proctape.v1.h1.ask.jobs", "proctape.v1.h1.ask.sampler", "proctape.v1.h1.answer.x"}
)

// TestRoles_NamesNoSubjectForAnAnswer attacks with each key that lives outside the log's account.
func TestRoles_NamesNoSubjectForAnAnswer(t *testing.T) {
	gets := []string{"$JS.API.STREAM.INFO." + schema.StreamEvents, "$JS.API.DIRECT.GET." + schema.StreamEvents, "$JS.API.DIRECT.GET." + schema.StreamSnapshots,
		"$JS.API.DIRECT.GET." + schema.StreamEvents + ".proctape.v1.h2.job"}
	for role, c := range map[string]struct{ subjects, requests, hears, may []string }{
		host: {hostSubjects, hostRequests, []string{"proctape.v1.h1.job"}, slices.Concat(hostSubjects, hostRequests, []string{"proctape.v1.h1.event.*", "proctape.v1.h1.answer.>"})},
		conductor: {subjects: []string{"proctape.v1.h1.job", "proctape.v1._.job"}, requests: []string{"proctape.v1.h1.ask.sampler"},
			may: []string{"proctape.v1.*.job", "proctape.v1.*.ask.sampler"}},
		reader: {requests: gets},
		member: {[]string{"proctape.v1.h1.job"}, []string{"proctape.v1.h1.ask.sampler", "proctape.v1.h1.ask.jobs"}, []string{"proctape.v1.h1.job"},
			[]string{"proctape.v1.h1.job", "proctape.v1.h1.ask.*"}},
	} {
		t.Run(role, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, embeddednats.Config{Dir: dir, Host: "h1", Log: quiet})
			defer closeServer(t, s)
			admin, err := s.Connect()
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			other := new(bystander)
			h2 := signIn(t, s, addHost(t, dir, "h2"))
			for _, subject := range []string{"proctape.v1.h2.job", "proctape.v1.h2.control.>"} {
				if _, err := h2.Subscribe(subject, other.note); err != nil {
					t.Fatal(err)
				}
			}
			if err := h2.Flush(); err != nil {
				t.Fatal(err)
			}
			a := &attack{nc: signIn(t, s, roleKeys(t, dir)[role]), may: c.may}
			for _, line := range tryAttack(t, admin, a, c.subjects, c.requests, c.hears) {
				t.Error("the server wrote ", line)
			}
			if err := h2.Flush(); err != nil {
				t.Fatal(err)
			}
			other.mu.Lock()
			defer other.mu.Unlock()
			for _, line := range other.seen[1:] { // the first is the admin's
				if role != conductor || !strings.Contains(line, "Nats-Trace-Dest") {
					t.Error("the other host heard ", line)
				}
			}
		})
	}
}

// TestRoles_TheAttackIsOne shows that the attack is noticed where keys have permissions alone, and where they may answer.
func TestRoles_TheAttackIsOne(t *testing.T) {
	users := func(response *server.ResponsePermission, keys map[string]embeddednats.Key) []*server.NkeyUser {
		own := server.SubjectPermission{Allow: []string{"proctape.v1.h1.>"}}
		return []*server.NkeyUser{{Nkey: keys["admin"].Public}, {Nkey: keys[host].Public, Permissions: &server.Permissions{Publish: &own,
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_" + keys[host].Public + ".>", "proctape.v1.h1.job"}}, Response: response}}}
	}
	for name, c := range map[string]struct {
		response *server.ResponsePermission
		want     string
	}{
		"an acknowledgement of the server":     {nil, `{"stream":`},
		"an answer to what the host has heard": {&server.ResponsePermission{MaxMsgs: 1, Expires: time.Minute}, "answer"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := embeddednats.LoadKeys(embeddednats.KeysDir(dir)); err != nil {
				t.Fatal(err)
			}
			keys := roleKeys(t, dir)
			ns, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, JetStreamMaxStore: 1 << 50, StoreDir: dir, Nkeys: users(c.response, keys)})
			if err != nil {
				t.Fatal(err)
			}
			go ns.Start()
			defer func() {
				ns.Shutdown()
				ns.WaitForShutdown()
			}()
			if !ns.ReadyForConnections(5 * time.Minute) {
				t.Fatal("the server does not start")
			}
			admin := signIn(t, ns, keys["admin"])
			a := &attack{nc: signIn(t, ns, keys[host]), may: []string{"proctape.v1.h1.>"}}
			found := tryAttack(t, admin, a, hostSubjects, nil, []string{"proctape.v1.h1.job"})
			for _, subject := range []string{schema.SubjectTick, "proctape.v1.h2.snapshot", "proctape.v1.h2.job"} {
				if !slices.ContainsFunc(found, func(line string) bool { return strings.HasPrefix(line, subject+": ") && strings.Contains(line, c.want) }) {
					t.Errorf("the attack does not notice that the server wrote on %s", subject)
				}
			}
		})
	}
}
