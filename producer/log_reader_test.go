package producer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// logReader is what a test reads on the log, in its order.
type logReader struct {
	t         *testing.T
	msgs      <-chan *nats.Msg
	events    []loggedEvent
	execs     []schema.Exec
	gaps      []schema.Gap
	snapshots []*schema.Message
	jobs      []schema.JobEvent
}

// loggedEvent is an event as the log has it.
type loggedEvent struct {
	kind     string
	instance schema.Instance // who published it
	schema.Event
}

func newLogReader(t *testing.T, nc *nats.Conn) *logReader {
	t.Helper()
	return &logReader{t: t, msgs: logtest.Subscribe(t, nc)}
}

// until reads on until what was read is as wanted.
func (j *logReader) until(what string, wanted func() bool) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(j.t.Context(), testTimeout)
	defer cancel()
	for !wanted() {
		select {
		case msg := <-j.msgs:
			j.read(msg)
		case <-ctx.Done():
			j.t.Fatalf("no %s within %s; the last of %d events: %+v", what, testTimeout, len(j.events), j.events[max(0, len(j.events)-5):])
		}
	}
}

// drain reads what there is.
func (j *logReader) drain() {
	j.t.Helper()
	for {
		select {
		case msg := <-j.msgs:
			j.read(msg)
		default:
			return
		}
	}
}

func (j *logReader) read(msg *nats.Msg) {
	j.t.Helper()
	if !strings.HasPrefix(msg.Subject, schema.SubjectPrefix+"h.") || strings.Contains(msg.Subject, ".control.") {
		return
	}
	m, err := schema.Decode(msg.Header.Get(schema.HeaderType), msg.Header.Get(schema.HeaderEncoding), msg.Data)
	if err != nil {
		return // a test put it there
	}
	for _, e := range m.Events {
		j.events = append(j.events, loggedEvent{m.Kind.EventType(), m.Instance, e})
	}
	j.execs = append(j.execs, m.Execs...)
	j.gaps, j.jobs = append(j.gaps, m.Gaps...), append(j.jobs, m.Jobs...)
	if m.Snapshot != nil {
		j.snapshots = append(j.snapshots, m)
	}
}

// of is what happened to a process, in the order of the log.
func (j *logReader) of(pid int) (events []loggedEvent) {
	for _, e := range j.events {
		if e.PID == pid {
			events = append(events, e)
		}
	}
	return events
}

// commandsOf are the command lines that a process came to execute after its spawn.
func (j *logReader) commandsOf(pid int) (commands []string) {
	for _, e := range j.execs {
		if e.PID == pid {
			commands = append(commands, e.Command)
		}
	}
	return commands
}

// kinds is that in a few words: "spawn exit kill".
func (j *logReader) kinds(pid int) string {
	var kinds []string
	for _, e := range j.of(pid) {
		kinds = append(kinds, e.kind)
	}
	return strings.Join(kinds, " ")
}

// lost is how many events are told to be lost.
func (j *logReader) lost() (n int) {
	for _, g := range j.gaps {
		if g.Kind == schema.GapEventsLost {
			n += int(g.Count.Or(0))
		}
	}
	return n
}

// children are the events of a kind of the children of a process.
func (j *logReader) children(kind string, parent int) (events []loggedEvent) {
	for _, e := range j.events {
		if e.kind == kind && e.PPID == schema.Some(int64(parent)) {
			events = append(events, e)
		}
	}
	return events
}

// untilEnded reads on until the end of a process is told, and all that was told at the same time.
func (j *logReader) untilEnded(pid int) loggedEvent {
	j.t.Helper()
	var exit loggedEvent
	j.until(fmt.Sprintf("exit of %d", pid), func() bool {
		for _, e := range j.of(pid) {
			if e.kind == "exit" {
				exit = e
			}
		}
		return exit.PID != 0
	})
	j.untilSnapshots(2)
	return exit
}

// untilSnapshots reads on until there are so many more snapshots, and with them all that was published before.
func (j *logReader) untilSnapshots(n int) {
	j.t.Helper()
	have := len(j.snapshots)
	j.until("snapshots", func() bool { return len(j.snapshots) >= have+n })
}

// untilSeen reads on until a snapshot has a process as wanted.
func (j *logReader) untilSeen(pid int, wanted func(*schema.Process) bool) schema.Process {
	j.t.Helper()
	var seen schema.Process
	from := len(j.snapshots)
	j.until(fmt.Sprintf("snapshot of %d as wanted", pid), func() bool {
		for ; from < len(j.snapshots); from++ {
			if p, ok := find(j.snapshots[from], pid); ok && wanted(&p) {
				seen = p
				return true
			}
		}
		return false
	})
	return seen
}

// publishJobEvent has a conductor tell the log of a job, and reads on until a snapshot shows that the sampler has heard it.
func (j *logReader) publishJobEvent(nc *nats.Conn, e schema.JobEvent) {
	j.t.Helper()
	e.Wall, _ = procfs.ReadClocks()
	if err := jobs.PublishJobEvent(j.t.Context(), nc, "h", &e); err != nil {
		j.t.Fatal(err)
	}
	from := len(j.snapshots)
	j.until("snapshot of job "+e.JobID, func() bool {
		for ; from < len(j.snapshots); from++ {
			for _, p := range j.snapshots[from].Snapshot.JobProgress {
				if p.JobID == e.JobID && (e.Type != schema.JobSheetStarted || p.CurrentSheet == e.Sheet) {
					return true
				}
			}
		}
		return false
	})
}

// record runs a producer until the test ends, or the returned function is called.
func record(t *testing.T, nc *nats.Conn, cfg Config) (p *Producer, stop func()) {
	t.Helper()
	if cfg.Interval == 0 {
		cfg.Interval = 100 * time.Millisecond
	}
	p = newProducer(t, nc, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("producer: %v", err)
		}
	}
	t.Cleanup(stop)
	return p, stop
}

// shell is a shell that does as it is told, a line at a time.
type shell struct {
	*exec.Cmd
	t       *testing.T
	in      io.WriteCloser
	answers *bufio.Reader
}

func startShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{Cmd: exec.Command("/bin/sh"), t: t}
	s.Stderr = t.Output()
	var err error
	if s.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.answers = bufio.NewReader(out)
	t.Cleanup(s.end)
	s.ask("echo ready")
	return s
}

func (s *shell) pid() int { return s.Process.Pid }

// ask has it do something that prints one line, and returns that.
func (s *shell) ask(line string) string {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.answers.ReadString('\n')
	if err != nil {
		s.t.Fatalf("%s: got %q, %v", line, answer, err)
	}
	return strings.TrimSuffix(answer, "\n")
}

// start has it start a process, with no input, and returns the pid.
func (s *shell) start(command string) (pid int) {
	s.t.Helper()
	answer := s.ask(command + " </dev/null >/dev/null & echo $!")
	if _, err := fmt.Sscan(answer, &pid); err != nil {
		s.t.Fatalf("%s: got %q, %v", command, answer, err)
	}
	return pid
}

// end ends it, and waits.
func (s *shell) end() {
	if s.ProcessState == nil {
		s.in.Close()
		_ = s.Wait() // it ends with the code of its last command
	}
}

// declared is what a conductor says of a job whose process tree begins at a process.
func declared(t *testing.T, job string, pid int) schema.JobEvent {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:])) // from field 3 on
	var start uint64
	if _, err := fmt.Sscan(fields[19], &start); err != nil {
		t.Fatal(err)
	}
	return schema.JobEvent{Type: schema.JobDeclared, JobID: job, PID: schema.Some(int64(pid)), StartTicks: start}
}

// find is the process of a snapshot that has the pid.
func find(m *schema.Message, pid int) (schema.Process, bool) {
	i := slices.IndexFunc(m.Snapshot.Processes.Rows(), func(p schema.Process) bool { return p.PID == pid })
	if i < 0 {
		return schema.Process{}, false
	}
	return m.Snapshot.Processes.Row(i), true
}

func logTo(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// await returns the first message of a kind that is as wanted.
func await(t *testing.T, msgs <-chan *nats.Msg, kind schema.Kind, wanted func(*schema.Message) bool) *schema.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for {
		select {
		case msg := <-msgs:
			if strings.HasSuffix(msg.Subject, "."+string(kind)) {
				if m := logtest.Decode(t, msg.Header, msg.Data); wanted(m) {
					return m
				}
			}
		case <-ctx.Done():
			t.Fatalf("no %s as wanted within %s", kind, testTimeout)
		}
	}
}
