package integration_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/proctape/proctape/schema"
)

// TestDocuments_Node runs the sample of docs/nats.md that declares a job from Node, with the key of a host. Control: without its prefix of inboxes no
// answer comes.
func TestDocuments_Node(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("node", "-e", `require("nats"); require("nkeys.js")`).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: node with the package nats is missing (npm install nats, and NODE_PATH): %v: %.300s", err, out)
	}
	var program string
	for _, b := range blocksOf("docs/nats.md", readText(t, "../docs/nats.md")) {
		if b.lang == "js" {
			program = strings.Join(b.text, "\n")
		}
	}
	dir := t.TempDir()
	recorder := record(t, proctape, dir, "--listen", "127.0.0.1:0")
	for sample, here := range map[string]string{"nats://127.0.0.1:4222": listening(t, recorder), "build07.nk": addHost(t, dir, "build07")} {
		if strings.Count(program, sample) != 1 {
			t.Fatalf("the sample does not hold %s once:\n%s", sample, program)
		}
		program = strings.Replace(program, sample, here, 1)
	}
	if out, err := exec.Command("node", "-e", program).CombinedOutput(); err != nil || string(out) != "stored in "+schema.StreamEvents+"\n" {
		t.Fatalf("%v: %s", err, out)
	}
	await(t, "the job that Node declared", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"), `SELECT count(*) FROM jobs WHERE job_id = 'nightly' AND host_id = (SELECT id FROM hosts WHERE name = 'build07')`) == 1
	})
	without := strings.Replace(program, "inboxPrefix:", "// inboxPrefix:", 1)
	if out, err := exec.Command("node", "-e", without).CombinedOutput(); err == nil {
		t.Errorf("control: without the prefix of inboxes an answer comes: %s", out)
	}
}

// TestConnect_NATSCommandLine reaches a recorder's server as the nats command line does, by a context with a key of the recorder: by the program where there is
// one, by the library that it is made of, and by proctape.
func TestConnect_NATSCommandLine(t *testing.T) {
	long(t)
	t.Parallel()
	dir, home := t.TempDir(), t.TempDir()
	recorder := record(t, proctape, dir, "--listen", "127.0.0.1:0")
	seed := filepath.Join(dir, "creds", "admin.nk")
	key := must(nkeys.FromSeed([]byte(strings.TrimSpace(string(must(os.ReadFile(seed))(t))))))(t)
	prefix := "_INBOX_" + publicOf(t, key)
	context := filepath.Join(home, "nats", "context", "recorder.json")
	if err := os.MkdirAll(filepath.Dir(context), 0o700); err != nil {
		t.Fatal(err)
	}
	url := listening(t, recorder)
	if err := os.WriteFile(context, must(json.Marshal(map[string]string{"url": url, "nkey": seed, "inbox_prefix": prefix}))(t), 0o600); err != nil {
		t.Fatal(err)
	}
	nc := must(nats.Connect(url, must(nats.NkeyOptionFromSeed(seed))(t), nats.CustomInboxPrefix(prefix)))(t)
	t.Cleanup(nc.Close)
	js := must(jetstream.New(nc))(t)
	var names []string
	for name := range js.StreamNames(t.Context()).Name() {
		names = append(names, name)
	}
	if len(names) != 5 || !strings.HasPrefix(names[0], "PROCTAPE_") {
		t.Errorf("the streams are %q", names)
	}
	stream := must(js.Stream(t.Context(), schema.StreamSnapshots))(t)
	await(t, "a snapshot by its subject", func() bool {
		_, err := stream.GetLastMsgForSubject(t.Context(), "proctape.v1.*.snapshot")
		return err == nil
	})
	said, code := exitOf(t, "log", "replicas", "--context", context)
	if code != 0 || strings.Count(said, "PROCTAPE_") != 5 {
		t.Errorf("proctape with the context: exit code %d, %s", code, said)
	}
	program, err := exec.LookPath("nats")
	if err != nil {
		t.Log("the program nats is not here: its library did the same")
		return
	}
	for _, ask := range [][]string{{"stream", "ls", "--names"}, {"stream", "info", schema.StreamSnapshots}, {"consumer", "ls", schema.StreamEvents}, {"stream", "backup", schema.StreamEvents, filepath.Join(home, "backup"), "--no-progress"}} {
		cmd := exec.Command(program, append([]string{"--context", "recorder"}, ask...)...)
		cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+home)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("nats %v: %v, %s", ask, err, out)
		}
	}
}
