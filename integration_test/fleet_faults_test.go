package integration_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/publish/spool"
)

// withoutIDs has a publisher publish under no ids.
var withoutIDs = withFault("without-ids", "producer/publish/run.go",
	"msg := &nats.Msg{Subject: q.msg.Subject, Header: q.msg.Header, Data: q.msg.Data}",
	`msg := &nats.Msg{Subject: q.msg.Subject, Header: nats.Header{}, Data: q.msg.Data}
		for k, v := range q.msg.Header {
			if k != nats.MsgIdHdr || !runsAs("without-ids") {
				msg.Header[k] = v
			}
		}`)

// faultyWay is a sampler, the recorder into which it publishes, and the way between them.
type faultyWay struct {
	*namespaces
	sampler *process
	db      string // the recorder's
	lives   string // the sampler's
	had     int    // snapshots of the sampler, when the way was good last
}

// newFaultyWay starts both, the sampler as a program that may be a control.
func newFaultyWay(t *testing.T, program string) (w *faultyWay, recorder *process) {
	w = &faultyWay{namespaces: newNamespaces(t, "log", "beta")}
	data, key := w.path("data"), w.path("beta.nk")
	a := newAuthority(t)
	a.certify("log", "log")
	recorder = w.start("log", proctape+" up --listen 0.0.0.0:4222 --tls-cert "+a.path("log.pem")+" --tls-key "+a.path("log.key")+" --interval 1h --events proc-diff --no-ndjson --data "+data)
	recorder.awaitLine("hosts add NAME")
	run(t, "hosts", "add", "beta", "--data", data, "--out", key)
	w.db, w.lives = filepath.Join(data, "monitor.db"), w.path("beta", "data", "lives")
	w.sampler = w.start("beta", program+" sample --server tls://log:4222 --tls-ca "+a.path("ca.pem")+" --creds "+key+" --interval 100ms --events proc-diff --data "+w.path("beta", "data"))
	w.come()
	return w, recorder
}

// come waits until snapshots come, and nothing waits on the sampler's disk.
func (w *faultyWay) come() {
	w.t.Helper()
	await(w.t, "snapshots after a fault", func() bool {
		return snapshotsOf(w.t, w.db, "beta") > w.had+10 && spool.DepthOf(w.lives).Messages == 0
	})
	w.had = snapshotsOf(w.t, w.db, "beta")
}

// told waits until the sampler has said something for the nth time.
func (w *faultyWay) told(what string, n int) {
	w.t.Helper()
	await(w.t, "a word of the sampler: "+what, func() bool { return strings.Count(w.sampler.stderr(), what) >= n })
}

// faults are what happens to a way: each begins, lasts until the sampler has noticed or much was made, and ends.
func (w *faultyWay) faults() (kinds int) {
	w.t.Helper()
	const waits = "the log does not take messages"
	kept := func() bool { return spool.DepthOf(w.lives).Messages > 20 }
	for _, f := range []struct {
		begins, ends string
		lasts        func() bool // nil: until the sampler says that it has trouble
	}{
		{"ip link set PORT down", "ip link set PORT up", kept},
		{"ip route replace blackhole TO/32", "ip route del blackhole TO/32", nil}, // what is published arrives, and no answer comes
		{"tc qdisc add dev PORT root tbf rate 256kbit burst 16k latency 400ms", "tc qdisc del dev PORT root", func() bool { return snapshotsOf(w.t, w.db, "beta") > w.had+30 }},
	} {
		before := strings.Count(w.sampler.stderr(), waits)
		w.wire("beta", f.begins)
		if f.lasts == nil {
			w.told(waits, before+1)
		} else {
			await(w.t, f.begins, f.lasts)
		}
		w.wire("beta", f.ends)
		w.come()
		kinds++
	}
	flaps := 4
	if soak {
		flaps = 200
	}
	for range flaps {
		w.wire("beta", "ip link set PORT down")
		await(w.t, "items on disk", func() bool { return spool.DepthOf(w.lives).Messages > 0 })
		w.wire("beta", "ip link set PORT up")
		had := snapshotsOf(w.t, w.db, "beta")
		await(w.t, "a snapshot between two cuts", func() bool { return snapshotsOf(w.t, w.db, "beta") > had })
	}
	w.come()
	return kinds + flaps
}

// TestFleet_WayThatFails cuts the way from a sampler to its log, lets nothing back, makes it slow, and cuts it again and again: nothing is lost,
// nothing is on the log twice, and each trouble has a line when it begins and one when it ends. Control: a publisher without ids.
func TestFleet_WayThatFails(t *testing.T) {
	long(t)
	t.Parallel()
	t.Run("as it is", func(t *testing.T) {
		w, recorder := newFaultyWay(t, proctape)
		faults := w.faults()
		w.sampler.stop()
		made := reachedBy(t, w.path("beta", "data"), "beta")
		await(t, "all snapshots", func() bool { return snapshotsOf(t, w.db, "beta") >= made })
		const of = ` FROM producers p JOIN hosts h ON h.id = p.host_id WHERE h.name = 'beta'`
		if n, twice := count(t, w.db, `SELECT sum(missing)`+of), count(t, w.db, `SELECT sum(duplicates)`+of); n != 0 || twice != 0 || snapshotsOf(t, w.db, "beta") != made {
			t.Errorf("of %d snapshots %d are stored, %d items are missing, %d are on the log twice", made, snapshotsOf(t, w.db, "beta"), n, twice)
		}
		if lines := strings.Count(w.sampler.stderr(), "\n"); lines > 3*faults {
			t.Errorf("the sampler has %d lines to say of %d faults", lines, faults)
		}
		t.Logf("%d snapshots over %d faults; the sampler said:\n%s", made, faults, w.sampler.stderr())
		recorder.stop()
	})
	t.Run("control", func(t *testing.T) {
		w, recorder := newFaultyWay(t, withoutIDs.program(t))
		before := count(t, w.db, `SELECT sum(duplicates) FROM producers`)
		w.wire("beta", "ip route replace blackhole TO/32")
		w.told("the log does not take messages", 1)
		w.wire("beta", "ip route del blackhole TO/32")
		w.come()
		if count(t, w.db, `SELECT sum(duplicates) FROM producers`) == before {
			t.Error("what is published twice without ids is not seen")
		}
		w.sampler.stop()
		recorder.stop()
	})
}
