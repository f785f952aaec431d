package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/schema"
)

// roleEnv makes the test program play a role in place of running tests.
const roleEnv = "PROCTAPE_TEST_ROLE"

// play is what the test program does as an actor. It returns the exit code.
func play(role string) int {
	switch role {
	case "publisher":
		return playPublisher()
	case "count":
		return playCount()
	case "files":
		return playFiles()
	case "server":
		return playServer()
	}
	fmt.Fprintf(os.Stderr, "no role %q\n", role)
	return 2
}

// What the worker in testdata/worker does.
const (
	workerMiB   = 200
	workerFiles = 50
	workerCode  = 3
)

// The programs of testdata, each built when it is first asked for.
var (
	buildsActor  = sync.OnceValues(func() (string, error) { return buildCompanion("actor") })
	buildsWorker = sync.OnceValues(func() (string, error) { return buildCompanion("worker") })
)

// buildCompanion builds a program of testdata beside the program under test.
func buildCompanion(name string) (program string, err error) {
	program = filepath.Join(filepath.Dir(proctape), name)
	return program, build(program, "./testdata/"+name, "CGO_ENABLED=0")
}

// buildActor builds the actor.
func buildActor(t *testing.T) string {
	t.Helper()
	return must(buildsActor())(t)
}

// worker builds the worker, and sets it to belong to a job.
func worker(t *testing.T, job string, sheet int) *exec.Cmd {
	t.Helper()
	program := must(buildsWorker())(t)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "PROCTAPE_JOB_ID="+job, "PROCTAPE_SHEET="+strconv.Itoa(sheet))
	cmd.Stderr = os.Stderr
	return cmd
}

// playCount prints the one number of a query, or 0 when there is no such table yet.
func playCount() int {
	var n int
	if db, err := sql.Open("sqlite", schema.ReaderDSN(os.Getenv("PROCTAPE_TEST_DB"))); err == nil {
		if err := db.QueryRow(os.Getenv("PROCTAPE_TEST_QUERY")).Scan(&n); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	fmt.Println(n)
	return 0
}

// playPublisher publishes snapshots one after the other and prints a line for each that was acknowledged.
func playPublisher() int {
	dir := os.Getenv("PROCTAPE_TEST_DATA")
	seed, _ := strconv.ParseUint(os.Getenv("PROCTAPE_TEST_SEED"), 10, 64)
	key, err := embeddednats.LoadKey(filepath.Join(embeddednats.KeysDir(dir), "admin.nk"))
	if err != nil {
		return 1
	}
	nc, err := nats.Connect("", append(key.Options(), nats.InProcessServer(embeddednats.Socket(embeddednats.SocketPath(dir))))...)
	if err != nil {
		return 1
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return 1
	}
	h := newHost("cut", 10, seed+1)
	for {
		m := h.snapshot()[0]
		payload, _, err := schema.Encode(nil, m)
		if err != nil {
			return 1
		}
		if _, err := js.Publish(context.Background(), schema.Subject(m.Host, m.Kind), payload, jetstream.WithMsgID(m.ID())); err != nil {
			return 1
		}
		fmt.Println(m.Seq)
	}
}

// shutDown cuts a mounted ext4 file system off its disk, with nothing flushed: what was not synced is gone
// (EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, fs/ext4/ext4.h).
func shutDown(t *testing.T, mount string) {
	t.Helper()
	dir := must(os.Open(mount))(t)
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), 0x8004587d, 2); err != nil {
		t.Fatalf("shut the file system down: %v", err)
	}
}
