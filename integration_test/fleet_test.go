package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ofFleet marks a block whose commands run on a host of the fleet, which it names.
const ofFleet = "of the fleet: "

// namespaces are hosts with a network between them: each has a network namespace, a name, a /var/lib and a working folder of its own.
type namespaces struct {
	t      *testing.T
	dir    string
	prefix string
	names  []string
}

// newNamespaces makes hosts that reach each other by their names, each at a port of a router. It skips the test where the machine does not let it.
func newNamespaces(t *testing.T, names ...string) *namespaces {
	t.Helper()
	if os.Geteuid() != 0 || !hasProgram("ip") || !hasProgram("unshare") {
		t.Skip("SKIPPED: only root makes network namespaces, with ip of iproute2 and unshare of util-linux")
	}
	n := &namespaces{t: t, dir: t.TempDir(), prefix: fmt.Sprintf("pt%d-%d", os.Getpid(), networks.Add(1)), names: names}
	t.Cleanup(n.remove)
	if out, err := n.try(`ip netns add $N-router && ip netns exec $N-router sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward"`); err != nil {
		t.Skipf("SKIPPED: this machine has no network namespaces: %s", out)
	}
	hosts := "127.0.0.1 localhost\n"
	for i, name := range names {
		hosts += fmt.Sprintf("%s %s\n", n.address(i), name)
	}
	for i, name := range names {
		etc := filepath.Join("/etc/netns", n.prefix+"-"+name)
		if out, err := n.try(fmt.Sprintf(`ip netns add $N-%[1]s && ip -n $N-%[1]s link set lo up &&
			ip -n $N-%[1]s link add eth0 type veth peer name port%[2]d netns $N-router &&
			ip -n $N-router addr add 10.231.%[2]d.1/24 dev port%[2]d && ip -n $N-router link set port%[2]d up &&
			ip -n $N-%[1]s addr add %[3]s/24 dev eth0 && ip -n $N-%[1]s link set eth0 up && ip -n $N-%[1]s route add default via 10.231.%[2]d.1`,
			name, i, n.address(i))); err != nil {
			t.Skipf("SKIPPED: this machine has no network between namespaces: %s", out)
		}
		if err := errors.Join(os.MkdirAll(etc, 0o755), os.WriteFile(etc+"/hosts", []byte(hosts), 0o644), os.MkdirAll(n.home(name), 0o700), os.MkdirAll(n.path(name, "lib"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// networks counts those that were made.
var networks atomic.Int32

// remove takes the network down, when all that ran in it has ended.
func (n *namespaces) remove() {
	for _, name := range append(slices.Clone(n.names), "router") {
		n.try("ip netns del $N-" + name + "; rm -rf /etc/netns/$N-" + name)
	}
}

// address is where a host is reached.
func (n *namespaces) address(i int) string { return fmt.Sprintf("10.231.%d.2", i) }

// try runs a script, in which $N- is how the names of the namespaces begin.
func (n *namespaces) try(script string) (string, error) {
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(cmd.Environ(), "N="+n.prefix)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (n *namespaces) path(parts ...string) string {
	return filepath.Join(append([]string{n.dir}, parts...)...)
}
func (n *namespaces) home(host string) string { return n.path(host, "home") }

// wire runs a command of ip on the router, in which PORT is a host's port and TO its address.
func (n *namespaces) wire(host, command string) {
	n.t.Helper()
	i := slices.Index(n.names, host)
	command = strings.NewReplacer("PORT", fmt.Sprint("port", i), "TO", n.address(i)).Replace(command)
	if out, err := n.try("ip netns exec $N-router " + command); err != nil {
		n.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// command is a command line on a host, run by its shell.
func (n *namespaces) command(host, line string) []string {
	return []string{"ip", "netns", "exec", n.prefix + "-" + host, "unshare", "--uts", "--mount", "sh", "-c",
		fmt.Sprintf("hostname %s && mount --bind %s /var/lib && cd %s && exec env -u XDG_STATE_HOME HOME=%s PATH=%s:$PATH TZ=UTC %s", host, n.path(host, "lib"), n.home(host), n.home(host), n.path("bin"), line)}
}

// start starts a command that goes on.
func (n *namespaces) start(host, line string) *process {
	n.t.Helper()
	c := n.command(host, line)
	return startProgram(n.t, c[0], c[1:]...)
}

// run runs a command to its end, and returns what it said. What it says to stderr is behind the rest.
func (n *namespaces) run(host, line string) (string, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	c := n.command(host, line)
	cmd := exec.CommandContext(ctx, c[0], c[1:]...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	return out.String() + stderr.String(), err
}

// fleetReader does what docs/fleet.md says, on the hosts of which it speaks.
type fleetReader struct {
	*namespaces
	running map[string]*process // up and sample, by their first two words
}

// does runs a command of the document, and says what was wrong.
func (f *fleetReader) does(host string, c sample) (problems []string) {
	words := strings.Fields(c.command)
	switch what := strings.Join(words[:2], " "); what {
	case "proctape up", "proctape sample":
		p := f.start(host, c.command)
		f.running[what] = p
		var got string
		look(patience, func() bool {
			got = strings.Join(p.out(), "\n")
			problems = compareShapes(c.output, got)
			select {
			case <-p.done:
				return true
			default:
				return len(problems) == 0
			}
		})
		if len(problems) > 0 {
			problems = append(problems, p.stderr())
		}
		return problems
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		out, err := f.run(host, c.command)
		told := strings.Contains(strings.Join(c.output, "\n"), "error: ") || words[1] == "doctor" // which says what else this machine lacks
		if problems = compareShapes(c.output, out); (err == nil || told) && len(problems) == 0 {
			return nil
		}
		if err != nil && !told {
			problems = append(problems, fmt.Sprintf("%v\n%s", err, out))
		}
		if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == 2 || time.Now().After(deadline) {
			return problems
		}
	}
}

// follow runs the document's blocks in their order, and does in between what the document says happens. It ends at the first problem.
func (f *fleetReader) follow(text string) (ran int, problems []string) {
	for _, b := range blocksOf("docs/fleet.md", text) {
		host, ok := strings.CutPrefix(b.mark, ofFleet)
		if !ok {
			continue
		}
		for _, c := range b.samples() {
			f.before(c.command)
			ran++
			f.t.Logf("%s: %s", host, c.command)
			for _, p := range f.does(host, c) {
				problems = append(problems, fmt.Sprintf("%s: %s: %s", b.where(), c.command, p))
			}
			if len(problems) > 0 {
				return ran, problems
			}
		}
	}
	return ran, nil
}

// before has happen what the document says happened before a command.
func (f *fleetReader) before(command string) {
	f.t.Helper()
	switch command {
	case "proctape status":
		f.wire("build07", "ip link set PORT down")
	case "proctape gaps --host build07 --kind missing":
		f.wire("build07", "ip link set PORT up")
		await(f.t, "nothing on the disk of build07", func() bool {
			out, _ := f.run("build07", "proctape status")
			return !strings.Contains(out, "spool here has")
		})
	}
}

// newFleetReader makes the two hosts of the document, and what the commands call.
func newFleetReader(t *testing.T) *fleetReader {
	t.Helper()
	if !hasProgram("openssl") {
		t.Skip("SKIPPED: there is no openssl")
	}
	f := &fleetReader{newNamespaces(t, "central", "build07"), map[string]*process{}}
	scp := fmt.Sprintf("#!/bin/sh\nexec cp -p build07.nk ca.pem %s\n", f.home("build07")) // as scp does, between hosts of one machine
	if err := errors.Join(os.Mkdir(f.path("bin"), 0o700), os.Symlink(proctape, f.path("bin", "proctape")), os.WriteFile(f.path("bin", "scp"), []byte(scp), 0o700)); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFleet_ByTheDocument does what docs/fleet.md says, from nothing to a second host over TLS with a key of its own, a way that is cut, and a
// host that goes. Control: a document that forgets the authority.
func TestFleet_ByTheDocument(t *testing.T) {
	long(t)
	t.Parallel()
	text := readText(t, "../docs/fleet.md")
	t.Run("as it stands", func(t *testing.T) {
		f := newFleetReader(t)
		ran, problems := f.follow(text)
		if ran < 10 || len(problems) > 0 {
			t.Fatalf("%d commands were run:\n%s", ran, strings.Join(problems, "\n"))
		}
		sampler := f.running["proctape sample"]
		sampler.wait()
		if !strings.Contains(sampler.stderr(), "may not connect any more") {
			t.Errorf("the sampler of the host that went says %s", sampler.stderr())
		}
		db := f.path("central", "lib", "proctape", "monitor.db")
		if n := count(t, db, `SELECT count(*) FROM gaps g JOIN hosts h ON h.id = g.host_id WHERE h.name = 'build07' AND g.kind IN ('missing', 'dropped', 'silence')`); n != 0 {
			t.Errorf("%d gaps are left of the time without a way", n)
		}
		f.running["proctape up"].stop()
	})
	t.Run("control", func(t *testing.T) {
		f := newFleetReader(t)
		forgets := strings.Replace(text, "--tls-ca ca.pem --creds build07.nk --host", "--creds build07.nk --host", 1)
		if _, problems := f.follow(forgets); len(problems) == 0 || forgets == text {
			t.Error("a document that forgets the authority is not caught")
		}
		f.running["proctape up"].stop()
	})
}
