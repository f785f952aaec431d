package run

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Start and Wait concern the whole process, so the tests run them in another one: the test binary itself, which plays
// the role that this environment variable names.
const (
	roleKey     = "RUN_TEST_ROLE"
	configsKey  = "RUN_TEST_CONFIGS"
	sabotageKey = "RUN_TEST_SABOTAGE"
)

// noRaceSleep is a variable without which a process built with -race takes a second to end.
const noRaceSleep = "GORACE=atexit_sleep_ms=0"

// patience is how long a test waits for what must happen, on a machine that may be busy with other work.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	role := os.Getenv(roleKey)
	os.Unsetenv(roleKey)
	var err error
	switch role {
	case "":
		if signal.Ignored(unix.SIGHUP) { // under nohup: what the tests start would ignore it too
			signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
		}
		os.Exit(m.Run())
	case "engine":
		err = playEngine()
	case "watcher":
		err = playWatcher()
	case "burner":
		err = playBurner()
	case "careless":
		err = playCareless()
	case "shell":
		err = playShell()
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(99)
	}
}

// report is what an engine says of one command: once it runs or could not be started, and again with a result.
type report struct {
	Command  Command
	NoCgroup string
	Err      string
	ExitCode int // after Err
	Result   *Result
	Children CPU // getrusage of all children of the engine
}

// reportFD is where an engine reports.
const reportFD = 3

// playEngine runs the commands of the configs, one after the other, and exits as the last of them did.
func playEngine() error {
	unix.CloseOnExec(reportFD)
	out := json.NewEncoder(os.NewFile(reportFD, "report"))
	var configs []Config
	if err := json.Unmarshal([]byte(os.Getenv(configsKey)), &configs); err != nil {
		return err
	}
	os.Unsetenv(configsKey)
	sabotage := os.Getenv(sabotageKey)
	os.Unsetenv(sabotageKey)
	os.Unsetenv("GORACE")

	// What a command line program does before it knows which command it is to run.
	signal.Ignore(unix.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()

	exit := 0
	for _, cfg := range configs {
		c, err := Start(cfg)
		if err != nil {
			out.Encode(report{Err: err.Error(), ExitCode: ExitCode(err)})
			exit = ExitCode(err)
			continue
		}
		if sabotage == "no reaper" {
			unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		}
		r := report{Command: *c}
		if c.NoCgroup != nil {
			r.Command.NoCgroup, r.NoCgroup = nil, c.NoCgroup.Error()
		}
		out.Encode(r)
		result, err := c.Wait()
		if err != nil {
			return err
		}
		r.Result, r.Children = &result, childrenCPU()
		out.Encode(r)
		exit = result.ExitCode
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	os.Exit(exit)
	return nil
}

func childrenCPU() CPU {
	var ru unix.Rusage
	unix.Getrusage(unix.RUSAGE_CHILDREN, &ru)
	return CPU{User: time.Duration(ru.Utime.Nano()), System: time.Duration(ru.Stime.Nano())}
}

// self is the command line by which a command plays a role.
func self(t *testing.T, role string, args ...string) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"env", noRaceSleep, roleKey + "=" + role, exe}, args...)
}

func sh(script string) []string { return []string{"sh", "-c", script} }

// engine is a process that runs commands. Set the fields of Cmd before start.
type engine struct {
	*exec.Cmd
	reports *json.Decoder
	output  *bufio.Reader
}

func newEngine(t *testing.T, configs ...Config) *engine {
	t.Helper()
	text, err := json.Marshal(configs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleKey+"=engine", configsKey+"="+string(text),
		noRaceSleep)
	cmd.Stderr = t.Output()
	// Without a terminal, whatever the test has.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = 5 * time.Second // what a killed engine leaves behind may have the output open
	return &engine{Cmd: cmd}
}

// start starts the engine. Its standard output can be read from output unless it was set.
func (e *engine) start(t *testing.T) {
	t.Helper()
	reports, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	e.ExtraFiles = append([]*os.File{w}, e.ExtraFiles...)
	e.reports = json.NewDecoder(reports)
	var stdout io.ReadCloser
	if e.Stdout == nil {
		if stdout, err = e.StdoutPipe(); err != nil {
			t.Fatal(err)
		}
		e.output = bufio.NewReader(stdout)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		reports.Close()
		if e.ProcessState == nil {
			unix.Kill(-e.Process.Pid, unix.SIGKILL) // and its command
			e.Wait()
		}
	})
	deadline := time.Now().Add(patience)
	reports.SetReadDeadline(deadline)
	if f, ok := stdout.(*os.File); ok {
		f.SetReadDeadline(deadline)
	}
}

// next returns the next report.
func (e *engine) next(t *testing.T) report {
	t.Helper()
	var r report
	if err := e.reports.Decode(&r); err != nil {
		t.Fatalf("read report: %v", err)
	}
	return r
}

// line returns the next line that the command writes.
func (e *engine) line(t *testing.T) string {
	t.Helper()
	line, err := e.output.ReadString('\n')
	if err != nil {
		t.Fatalf("read output: %v, after %q", err, line)
	}
	return strings.TrimRight(line, "\r\n")
}

func (e *engine) wantLine(t *testing.T, want string) {
	t.Helper()
	if got := e.line(t); got != want {
		t.Fatalf("the command wrote %q, want %q", got, want)
	}
}

// end waits for the engine and returns its exit code.
func (e *engine) end(t *testing.T) int {
	t.Helper()
	e.Wait()
	return e.ProcessState.ExitCode()
}

// runOne runs one command to its end, with its output in the test's.
func runOne(t *testing.T, cfg Config) report {
	t.Helper()
	e := newEngine(t, cfg)
	e.Stdout = t.Output()
	e.start(t)
	started := e.next(t)
	if started.Err != "" {
		t.Fatal(started.Err)
	}
	r := e.next(t)
	if code := e.end(t); code != r.Result.ExitCode {
		t.Errorf("the engine exited with %d, the command with %d", code, r.Result.ExitCode)
	}
	return r
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
