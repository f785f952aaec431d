package integration_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// ofBackup marks a block that TestConnect_BackupByNATS runs.
const ofBackup = "a backup by nats"

// natsServer starts a server with an account whose users the document names, beside one that may do everything, and returns how a user reaches it.
func natsServer(t *testing.T, users string) (url func(user string) string) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	conf := filepath.Join(dir, "conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:%d\"\njetstream { store_dir: %q }\naccounts { log { jetstream: enabled, users: [\n{user: admin, password: admin}\n%s\n] } }\n", port, dir, users)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startProgram(t, "env", roleEnv+"=server", must(os.Executable())(t), "-c", conf)
	url = func(user string) string { return fmt.Sprintf("nats://%s:%s@127.0.0.1:%d", user, user, port) }
	await(t, "a server", func() bool {
		nc, err := nats.Connect(url("admin"))
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	return url
}

// natsContext writes a context of the nats command line.
func natsContext(t *testing.T, home, name, url string) {
	t.Helper()
	path := filepath.Join(home, "nats", "context", name+".json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, fmt.Appendf(nil, `{"url": %q}`, url), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// backupOf is what the document says of a backup: the users, and the commands that keep a log and bring it back.
func backupOf(t *testing.T) (users string, commands []string) {
	t.Helper()
	for _, b := range blocksOf("docs/nats.md", readText(t, "../docs/nats.md")) {
		switch {
		case b.mark != ofBackup:
		case b.lang == "conf":
			users = strings.Join(b.text, "\n")
		default:
			commands = append(commands, strings.Join(b.text, "\n"))
		}
	}
	if users == "" || len(commands) != 2 {
		t.Fatalf("docs/nats.md has the users %q, and the commands %q", users, commands)
	}
	return users, commands
}

// keptLog is a log on a server, a database of it, and the nats command line with the contexts of the document.
type keptLog struct {
	t         *testing.T
	home, dir string
	database  string
}

// sh runs commands of the document, which name contexts.
func (k *keptLog) sh(script string) (string, error) {
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = k.dir, append(cmd.Environ(), "XDG_CONFIG_HOME="+k.home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// project projects the log of a server to its end.
func (k *keptLog) project(server, name string) (db string) {
	k.t.Helper()
	db = filepath.Join(k.dir, name+".db")
	nc := must(nats.Connect(server))(k.t)
	defer nc.Close()
	js := must(jetstream.New(nc))(k.t)
	projects := start(k.t, "project", "--server", server, "--db", db)
	projects.awaitLine("is projecting")
	for _, name := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		last := must(js.Stream(k.t.Context(), name))(k.t).CachedInfo().State.LastSeq
		await(k.t, "all of "+name, func() bool {
			return count(k.t, db, `SELECT coalesce(sum(seq), 0) FROM checkpoints WHERE stream = '`+name+`'`) >= int(last)
		})
	}
	projects.stop()
	return db
}

// comesBack brings what was kept back on a new server, after a change of it, and returns the exit code of a comparison of the two databases.
func (k *keptLog) comesBack(name, users, command string, change func()) (said string, code int) {
	k.t.Helper()
	to := natsServer(k.t, users)
	natsContext(k.t, k.home, "restore", to("restore"))
	change()
	if out, err := k.sh(command); err != nil {
		k.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return exitOf(k.t, "verify", "--db", k.database, "--against", k.project(to("admin"), name))
}

// TestConnect_BackupByNATS does what docs/nats.md says of a backup by the nats command line: with the permissions that stand there a log is kept, and brought back on
// another server, where it gives the same database. Controls: a log that came back without its events gives another, and who may bring a log back may not read one.
func TestConnect_BackupByNATS(t *testing.T) {
	t.Parallel()
	long(t)
	if !hasProgram("nats") {
		t.Skip("SKIPPED: there is no nats command line (go install github.com/nats-io/natscli/nats@v0.5.1)")
	}
	users, commands := backupOf(t)
	from := natsServer(t, users)
	k := &keptLog{t: t, home: t.TempDir(), dir: t.TempDir()}
	if said, code := asked(t, nil, "--server", from("admin")); code != 0 {
		t.Fatal(said)
	}
	k.database = k.project(from("admin"), "original")
	natsContext(t, k.home, "backup", from("restore"))
	if out, err := k.sh(commands[0]); err == nil || !strings.Contains(out, "Permissions Violation") {
		t.Errorf("control: who may bring a log back reads one: %v\n%s", err, out)
	}
	natsContext(t, k.home, "backup", from("backup"))
	if out, err := k.sh("rm -rf backup\n" + commands[0]); err != nil {
		t.Fatalf("%s: %v\n%s", commands[0], err, out)
	}
	if said, code := k.comesBack("restored", users, commands[1], func() {}); code != 0 {
		t.Errorf("a database of the log that came back: exit code %d\n%s", code, said)
	}
	if said, code := k.comesBack("less", users, commands[1], func() {
		if err := os.RemoveAll(filepath.Join(k.dir, "backup", schema.StreamSnapshots)); err != nil {
			t.Fatal(err)
		}
	}); code != 5 {
		t.Errorf("control: a log that came back without its snapshots: exit code %d\n%s", code, said)
	}
}
