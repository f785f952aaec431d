package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/schema"
)

// hostKinds are the kinds that a host's key may publish.
var hostKinds = []schema.Kind{schema.KindSnapshot, schema.KindSpawn, schema.KindExec, schema.KindExit, schema.KindSignal, schema.KindKill, schema.KindOOM,
	schema.KindGap, schema.KindJob}

// placeInLog is where the log has a message.
type placeInLog struct {
	stream string
	seq    uint64
}

// signInAs connects to a log with a key that was made for a host.
func signInAs(t *testing.T, log *logServer, host string) jetstream.JetStream {
	t.Helper()
	var seed bytes.Buffer
	must(embeddednats.AddHost(log.dir, host, &seed))(t)
	file := filepath.Join(t.TempDir(), host+".nk")
	if err := os.WriteFile(file, seed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	key := must(embeddednats.LoadKey(file))(t)
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	nc := must(nats.Connect("", append(key.Options(), nats.InProcessServer(log.server), quiet)...))(t)
	t.Cleanup(nc.Close)
	return must(jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256)))(t)
}

// attack publishes absurd messages with a host's key, while others record, and returns where the log has those that it took.
func attack(t *testing.T, log *logServer, absurd []absurdity, others ...*host) map[placeInLog]absurdity {
	t.Helper()
	js := signInAs(t, log, "mallory")
	const rounds = 100
	taken := map[placeInLog]absurdity{}
	for round := range rounds {
		futures := map[jetstream.PubAckFuture]absurdity{}
		for _, ab := range absurd[round*len(absurd)/rounds : (round+1)*len(absurd)/rounds] {
			f, err := js.PublishMsgAsync(ab.msg, jetstream.WithStallWait(patience))
			if err != nil {
				t.Fatalf("%s: %v", ab.what, err)
			}
			futures[f] = ab
		}
		for _, h := range others {
			log.publish(h.snapshot()...)
		}
		for f, ab := range futures {
			select {
			case ack := <-f.Ok():
				if !ack.Duplicate {
					taken[placeInLog{ack.Stream, ack.Sequence}] = ab
				}
			case err := <-f.Err():
				t.Fatalf("%s: %v", ab.what, err)
			case <-time.After(patience):
				t.Fatalf("%s: no answer", ab.what)
			}
		}
	}
	return taken
}

// outcome is what is wrong with what became of absurd messages.
func outcome(t *testing.T, db string, taken map[placeInLog]absurdity) (defects []string) {
	t.Helper()
	reader := readOnly(t, db)
	defer reader.Close()
	rows := must(reader.Query(`SELECT stream, seq, host, error FROM quarantine`))(t)
	defer rows.Close()
	aside := map[placeInLog]string{}
	for rows.Next() {
		var at placeInLog
		var host, text string
		if err := rows.Scan(&at.stream, &at.seq, &host, &text); err != nil {
			t.Fatal(err)
		}
		ab, known := taken[at]
		switch {
		case !known:
			defects = append(defects, fmt.Sprintf("%v of %s is in quarantine: %s", at, host, text))
		case text == "" || strings.HasPrefix(ab.msg.Subject, "proctape.v1."+host+".") == false:
			defects = append(defects, fmt.Sprintf("%s: in quarantine as %s's, %q", ab.what, host, text))
		case ab.must && ab.field != "" && !strings.Contains(text, ab.field):
			defects = append(defects, fmt.Sprintf("%s: the reason does not name %s: %.200s", ab.what, ab.field, text))
		}
		aside[at] = text
	}
	for at, ab := range taken {
		if _, is := aside[at]; ab.must && !is && len(taken) < 900 { // of more than a thousand not all are kept
			defects = append(defects, ab.what+": was taken in")
		}
	}
	if n := count(t, db, `SELECT total(count) FROM quarantine_counts`); len(taken) < 900 && n != len(aside) {
		defects = append(defects, fmt.Sprintf("%d messages are counted, and %d are in quarantine", n, len(aside)))
	}
	return defects
}

// answersAbout is all that the commands tell of some hosts, as one text, without what differs from log to log.
func answersAbout(t *testing.T, path string, hosts ...string) string {
	t.Helper()
	db := must(query.Open(t.Context(), path))(t)
	defer db.Close()
	var b strings.Builder
	add := func(name string, value any, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fmt.Fprintf(&b, "%s %s\n", name, text)
	}
	balances, err := query.Hosts(t.Context(), db)
	for _, h := range balances {
		if slices.Contains(hosts, h.Host) {
			add("status", h, err)
		}
	}
	for _, host := range hosts {
		of := query.Range{Host: host}
		snapshots, err := query.Snapshots(t.Context(), db, of)
		for i := range snapshots {
			snapshots[i].ID = 0
		}
		add("snapshots", snapshots, err)
		events, err := query.Events(t.Context(), db, query.Filter{Range: of})
		for i := range events {
			events[i].ID = 0
		}
		add("events", events, err)
		jobs, err := query.Jobs(t.Context(), db, of)
		add("jobs", jobs, err)
		for _, j := range jobs {
			r, err := report.Read(t.Context(), db, query.JobFilter{Name: j.JobID, Host: host}, schema.Time(float64(epoch)/1e9))
			add("report", r, err)
		}
		gaps, err := query.Gaps(t.Context(), db, of, "")
		add("gaps", len(gaps), err)
		tops, err := query.TopOf(t.Context(), db, query.TopQuery{Filter: query.Filter{Range: query.Range{Host: host, Until: float64(epoch)/1e9 + 86400}}, By: "job", Sort: "cpu"})
		add("top", tops, err)
		tree, err := query.TreeAt(t.Context(), db, float64(epoch)/1e9+86400, query.Filter{Range: of})
		for i := range tree {
			tree[i].ID = 0
		}
		add("tree", tree, err)
	}
	all, err := query.Jobs(t.Context(), db, query.Range{})
	add("jobs of all", len(all) > 0, err)
	return provenUntil.ReplaceAllString(b.String(), "")
}

// provenUntil is in every coverage: until when the database was checked last.
var provenUntil = regexp.MustCompile(`"proven_until":[^,}]*`)

// keep is a policy under which most of what the hosts record leaves full resolution.
func keep() *retention.Settings {
	return &retention.Settings{Policy: schema.Policy{FullResolution: 4 * time.Minute, Downsampled: 10 * 24 * time.Hour, Events: 10 * 24 * time.Hour},
		Clocks: func() (retention.Reading, error) {
			return retention.Reading{Wall: epoch + int64(time.Hour), Boot: int64(time.Hour), BootID: "machine", Synced: true}, nil
		}}
}

// TestAbsurd_OneHostCostsItself publishes absurd messages of every kind with one host's key while two other hosts record. Of the others,
// all answers and what retention leaves are as in a run without them. Each bad message is in quarantine once, with what is wrong in
// it, or does no harm.
func TestAbsurd_OneHostCostsItself(t *testing.T) {
	long(t)
	t.Parallel()
	each := 40
	if soak {
		each = 1000
	}
	var answers [2]string
	var taken map[placeInLog]absurdity
	var attacked string // the database
	for i, quiet := range []bool{true, false} {
		log := startLog(t, t.TempDir())
		a := &absurdities{t: t, host: "mallory", random: rand.New(rand.NewPCG(12, 12))}
		var absurd []absurdity
		for _, kind := range hostKinds {
			if !quiet {
				absurd = append(absurd, a.of(kind, each)...)
			}
		}
		a.random.Shuffle(len(absurd), func(i, j int) { absurd[i], absurd[j] = absurd[j], absurd[i] })
		placed := attack(t, log, absurd, newHost("alpha", 6, 1), newHost("beta", 6, 2))
		db := filepath.Join(t.TempDir(), "p.db")
		said := new(bytes.Buffer)
		cfg := projector.Config{DB: db, Log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))}
		once := cfg
		once.Once = true
		if err := must(projector.Open(t.Context(), log.js, once))(t).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		answers[i] = answersAbout(t, db, "alpha", "beta")
		if !quiet {
			taken = placed
			attacked = filepath.Join(t.TempDir(), "attacked.db")
			copyDatabase(t, db, attacked)
		}
		cfg.Retention = keep()
		pass, err := projector.Retain(t.Context(), log.js, cfg)
		if err != nil || pass.Removed.RollupsMade == 0 {
			t.Fatalf("retention: %+v, %v", pass, err)
		}
		answers[i] += answersAbout(t, db, "alpha", "beta")
		if bytes.Contains(said.Bytes(), []byte("alpha")) || bytes.Contains(said.Bytes(), []byte("beta")) {
			t.Errorf("the log tells of the others:\n%s", said)
		}
	}
	if answers[0] != answers[1] {
		t.Errorf("the others' answers differ: %s", firstDifference(answers[0], answers[1]))
	}
	if len(taken) < 3*each {
		t.Fatalf("only %d messages came into the log", len(taken))
	}
	defects := outcome(t, attacked, taken)
	if len(defects) > 0 {
		slices.Sort(defects)
		t.Errorf("%d defects, such as\n%s", len(defects), strings.Join(defects[:min(20, len(defects))], "\n"))
	}
	absurdControls(t, attacked, taken, answers)
}

// absurdControls breaks what the test has found to be right, in one way after another: each must be noticed.
func absurdControls(t *testing.T, db string, taken map[placeInLog]absurdity, answers [2]string) {
	t.Helper()
	for name, change := range map[string]string{
		"a message that was taken in":         `DELETE FROM quarantine WHERE seq = (SELECT max(seq) FROM quarantine WHERE error LIKE '%out of range%')`,
		"a message that is counted twice":     `UPDATE quarantine_counts SET count = count + 1`,
		"a good message in quarantine":        `UPDATE quarantine SET seq = seq + 1000000 WHERE seq = (SELECT min(seq) FROM quarantine)`,
		"a reason that does not name a field": `UPDATE quarantine SET error = 'no'`,
	} {
		if soak {
			continue // of so many messages not all are kept
		}
		broken := filepath.Join(t.TempDir(), "broken.db")
		copyDatabase(t, db, broken)
		must(writable(t, broken).Exec(change))(t)
		if len(outcome(t, broken, taken)) == 0 {
			t.Errorf("%s is not noticed", name)
		}
	}
	broken := filepath.Join(t.TempDir(), "broken.db")
	copyDatabase(t, db, broken)
	must(writable(t, broken).Exec(`UPDATE processes SET command = 'other' WHERE id = (SELECT min(id) FROM processes WHERE host_id = (SELECT id FROM hosts WHERE name = 'beta'))`))(t)
	if strings.HasPrefix(answers[1], answersAbout(t, broken, "alpha", "beta")) {
		t.Error("a changed process of another host is not noticed")
	}
}

// copyDatabase copies a database that nobody writes.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	db := must(query.Open(t.Context(), from))(t)
	defer db.Close()
	if err := db.CopyTo(context.Background(), to); err != nil {
		t.Fatal(err)
	}
}

// firstDifference is where two texts of lines differ first.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		at := 0
		for at < min(len(x[i]), len(y[i])) && x[i][at] == y[i][at] {
			at++
		}
		from := max(0, at-80)
		return fmt.Sprintf("line %d\n%.300s\n%.300s", i, x[i][from:], y[i][from:])
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

var withoutBounds = withFault("without-bounds", "schema/bounds.go",
	`if v < b.low || v > b.high {`,
	`if (v < b.low || v > b.high) && !runsAs("without-bounds") {`)

// TestAbsurd_WithoutBoundsControl is the control: a build whose bounds are off takes in what no machine has.
func TestAbsurd_WithoutBoundsControl(t *testing.T) {
	long(t)
	t.Parallel()
	broken := withoutBounds.program(t)
	log := startLog(t, t.TempDir())
	a := &absurdities{t: t, host: "mallory", random: rand.New(rand.NewPCG(12, 12))}
	var absurd []absurdity
	for _, kind := range hostKinds {
		absurd = append(absurd, a.of(kind, 40)...)
	}
	taken := attack(t, log, absurd, newHost("alpha", 3, 1))
	for program, found := range map[string]bool{proctape: false, broken: true} {
		db := filepath.Join(t.TempDir(), "p.db")
		out, err := exec.Command(program, "replay", "--data", log.dir, "--db", db).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || err != nil && !found {
			t.Fatalf("%v\n%s", err, out)
		}
		if defects := outcome(t, db, taken); (len(defects) > 0) != found {
			t.Errorf("broken %v: %d defects", found, len(defects))
		}
	}
}
