package lifecycle

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// opened is what came of Open in another process.
type opened struct {
	Rung     SourceKind
	Attempts []opening
}

type opening struct {
	Rung       SourceKind
	Err, Grant string
}

// printOpened opens the best kind and says what came of it.
func printOpened() error {
	source, attempts, err := Open(Config{Describe: describeNothing}, SourceKinds[1:])
	if err != nil {
		return err
	}
	result := opened{Rung: source.Kind()}
	for _, a := range attempts {
		o := opening{Rung: a.Kind, Grant: a.Grant}
		if a.Err != nil {
			o.Err = a.Err.Error()
		}
		result.Attempts = append(result.Attempts, o)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return err
	}
	return source.Close()
}

// openElsewhere has another process open the best kind.
func openElsewhere(t *testing.T, attr *syscall.SysProcAttr) (result opened) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleKey+"=open")
	cmd.SysProcAttr, cmd.Stderr = attr, t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("SKIPPED: not on this machine: %v", err)
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return result
}

// Where the kernel tells us nothing, the probe finds out, and each kind says what to grant.
func TestOpen_OtherNamespaces(t *testing.T) {
	here := openElsewhere(t, nil)
	if here.Rung != KindTaskstats {
		t.Skipf("SKIPPED: only %s works here: %+v", here.Rung, here.Attempts)
	}
	tests := map[string]struct {
		attr  syscall.SysProcAttr
		err   string // of the first kind
		grant string
	}{
		"another network namespace": {
			syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}, "connection refused", "network namespace",
		},
		"a child pid namespace": {
			syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, "invalid argument", "pid and user namespaces",
		},
		"another user": {
			syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}, "not permitted", "CAP_NET_ADMIN",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := openElsewhere(t, &tt.attr)
			if got.Rung == KindTaskstats {
				t.Fatalf("got %s", got.Rung)
			}
			first := got.Attempts[0]
			if first.Rung != KindTaskstats || !strings.Contains(first.Err, tt.err) || !strings.Contains(first.Grant, tt.grant) {
				t.Errorf("got %+v, want error %q and grant %q", first, tt.err, tt.grant)
			}
			if second := got.Attempts[1]; name == "a child pid namespace" && second.Err != errNoEvent.Error() {
				t.Errorf("got %+v, want the probe to find out", second)
			}
			last := got.Attempts[len(got.Attempts)-1]
			if last != (opening{Rung: got.Rung}) {
				t.Errorf("got %+v for the kind that works, %s", last, got.Rung)
			}
			t.Logf("%s; %+v", got.Rung, got.Attempts)
		})
	}
}

func TestOpen_NothingWorks(t *testing.T) {
	if _, _, err := Open(Config{}, SourceKinds); err == nil || !strings.Contains(err.Error(), "Describe") {
		t.Errorf("got %v, want to be told of Describe", err)
	}
	source, attempts, err := Open(Config{Describe: describeNothing}, []SourceKind{"events-ebpf"})
	if source != nil || err == nil || len(attempts) != 1 || !strings.Contains(err.Error(), "events-ebpf") {
		t.Errorf("got %v, %v, %v, want an error that names the kind", source, attempts, err)
	}
}

func TestEndThread(t *testing.T) {
	for range 20 {
		tid := endThread()
		if tid == os.Getpid() || tid <= 0 {
			t.Fatalf("got %d, want a thread that is not the first", tid)
		}
	}
}
