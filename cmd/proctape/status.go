package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	embeddednats "github.com/proctape/proctape/embedded-nats"
	"github.com/proctape/proctape/producer/publish/spool"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/filecheck"
	"github.com/proctape/proctape/schema/lockfile"
	"github.com/proctape/proctape/schema/state"
	"github.com/proctape/proctape/schema/trouble"
)

// The exit codes of "status --check".
const (
	checkWell = iota
	checkDegraded
	checkStanding
	checkUnknown // also misuse
)

func statusCommand(s *settings) *cobra.Command {
	l := new(listing)
	var check bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show whether all is well, how far the database is, and each host's balance", Args: noArgs,
		Long: `Say in the first line whether all is well, degraded (it records, and something is missing or late) or
standing (something that records or projects does not go on), and why. docs/trouble.md lists the reasons.

Then show how far each stream of the log has been projected, and the balance of each host: what its
samplers produced is what is stored, in quarantine, missing, in flight between the log and the database, or
waiting in the sampler. Duplicates come on top and change nothing. The last table shows what each host's
sampler sees and what it does not see; "proctape up" says what to grant.

"Proven until" is a time of which the last full check of the database's pages found that all that was committed
by then is as it was written. A recorder checks again and again (docs/damage.md).

With --check, print the first line alone, and exit with 0 when all is well, 1 when it is degraded, 2 when
something stands, and 3 when that cannot be known or the command is misused.`,
		Example: `  proctape status --json
  proctape status --check`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.url != "" {
				return showStatusElsewhere(cmd, s, l.json, check)
			}
			st, err := readStatus(cmd.Context(), s)
			if err != nil {
				return err
			}
			return showStatus(cmd.OutOrStdout(), st, l.json, check)
		},
	}
	l.registerJSON(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "print one line, and exit with 0 (well), 1 (degraded), 2 (standing) or 3 (unknown)")
	return cmd
}

// showStatusElsewhere prints the status of a recorder elsewhere.
func showStatusElsewhere(cmd *cobra.Command, s *settings, asJSON, check bool) error {
	c, err := clientOf(s)
	if err != nil {
		return err
	}
	st, err := c.Status(cmd.Context())
	if err != nil {
		return explainElsewhere(err)
	}
	return showStatus(cmd.OutOrStdout(), &status{Status: *st}, asJSON, check)
}

// showStatus prints a status. With check the error is the exit code.
func showStatus(out io.Writer, st *status, asJSON, check bool) error {
	var err error
	switch {
	case asJSON:
		err = printJSON(out, []*health.Status{&st.Status})
	case check:
		_, err = fmt.Fprintln(out, st.Line())
	default:
		err = printStatus(out, st)
	}
	if !check || unlessGone(err) != nil {
		return err
	}
	return &exitCodeError{map[trouble.Level]int{trouble.Well: checkWell, trouble.Degraded: checkDegraded, trouble.Standing: checkStanding}[st.Level]}
}

// asksForCheck reports whether a command line is that of "status --check", also when it is misused.
func asksForCheck(cmd *cobra.Command, args []string) bool {
	if cmd == nil || cmd.Name() != "status" || cmd.HasParent() && cmd.Parent().HasParent() {
		return false
	}
	for _, arg := range args {
		if arg == "--check" || strings.HasPrefix(arg, "--check=") {
			return true
		}
	}
	return false
}

// statusNow is how a recording is, for who asks over HTTP.
func statusNow(ctx context.Context, s *settings) (*health.Status, error) {
	st, err := readStatus(ctx, s)
	if err != nil {
		return nil, err
	}
	return &st.Status, nil
}

// statusTime is how long a log has to answer all that is asked of it.
const statusTime = 8 * time.Second

// readStatus gathers what is known, and judges it. A database that is not there is an error, unless --server names a log.
func readStatus(ctx context.Context, s *settings) (*status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*statusTime)
	defer cancel()
	st := &status{Status: health.Status{Stopped: []string{}, Data: s.data, Database: s.db}, figures: health.Figures{Now: time.Now(), Data: s.data, Database: s.db, Remote: s.server != ""}}
	f := &st.figures
	st.readProcesses(s)
	if err := st.readDatabase(ctx, s); err != nil {
		return nil, err
	}
	if f.Remote || f.Recorder != 0 {
		if err := st.askLog(ctx, s); err != nil {
			return nil, err
		}
	}
	st.Recorder, st.Projector = f.Recorder, f.Projector
	if p := f.State; p != nil && (f.Projector != 0 || f.Remote) {
		st.Memory, st.Sampler, st.Commits, st.Programs = &p.Memory, p.Sampler, p.Commits, p.Programs
		st.addWaiting()
	}
	if !f.Remote {
		st.Spool = spoolOf(s)
	}
	st.Verdict = health.Judge(*f)
	return st, nil
}

// readProcesses finds out who records and projects, and what they say of themselves.
func (st *status) readProcesses(s *settings) {
	f := &st.figures
	if !f.Remote && s.data != "" {
		f.Recorder, _ = embeddednats.Owner(s.data)
		f.Opened = embeddednats.OwnedSince(s.data)
	}
	f.Projector, _ = lockfile.DatabaseOwner(s.db)
	if f.Recorder != 0 {
		if err := filecheck.Writable(s.data); err != nil && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOENT) { // that this process may not write there says nothing
			f.ReadOnly = err.Error()
		}
	}
	p, err := state.Read(state.Path(s.db))
	if err != nil {
		return
	}
	age := state.Now().Since(p.Said)
	if f.Projector == 0 && !p.Ended && age < time.Minute && unix.Kill(p.PID, 0) == nil {
		f.Projector = p.PID // between two tries to open its database
	}
	if f.Projector == 0 || f.Projector == p.PID {
		f.State, f.Age = &p, age
	}
	f.Halted = f.Projector != 0 && isHalted(f.Projector)
}

// isHalted reports whether a process is stopped by a signal or a debugger, proc_pid_stat(5).
func isHalted(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := strings.LastIndexByte(string(b), ')')
	return err == nil && i > 0 && len(b) > i+2 && (b[i+2] == 'T' || b[i+2] == 't')
}

// readDatabase reads what the database says.
func (st *status) readDatabase(ctx context.Context, s *settings) error {
	db, err := query.Open(ctx, s.db)
	if errors.Is(err, query.ErrNoDatabase) && st.figures.Remote {
		st.Database, st.figures.Database = "", ""
		return nil
	} else if err != nil {
		if waits := spoolOf(s); errors.Is(err, query.ErrNoDatabase) && waits != nil {
			err = fmt.Errorf("%w; a sampler's spool here has %d items, %.1f MiB, for its log", err, waits.Items, float64(waits.Bytes)/(1<<20))
		}
		return explainRead(err, s)
	}
	defer db.Close()
	for _, file := range []string{s.db, s.db + "-wal"} {
		if info, err := os.Stat(file); err == nil {
			st.SizeBytes += info.Size()
		}
	}
	checkpoints, err := query.Checkpoints(ctx, db)
	for _, c := range checkpoints {
		st.Streams = append(st.Streams, health.StreamStatus{Checkpoint: c})
	}
	if err == nil {
		st.HostsHeld, err = db.HostsHeld(ctx)
	}
	if err == nil {
		st.Hosts, err = query.Hosts(ctx, db)
	}
	if err == nil {
		err = health.Read(ctx, db, &st.figures)
	}
	if err == nil {
		st.figures.Proof, err = readProof(db)
		st.Proof = st.figures.Proof
	}
	return explainRead(err, s)
}

// readProof reads how far the database is proven.
func readProof(db *query.DB) (*health.Proof, error) {
	p, err := query.Proof(db)
	if err != nil {
		return nil, err
	}
	proof := &health.Proof{Until: p.Until, Full: p.LastPass}
	if p.DamageSeen != nil {
		proof.Failed = fmt.Sprintf("the database is damaged, in %d pages; the recorder makes it anew from the log", p.Damaged)
	}
	return proof, nil
}

// askLog adds where the streams end, what of each host is in them and not in the database yet, and what the recorder says of
// itself. A log that does not answer leaves that unknown; one that --server names and nobody can reach is an error.
func (st *status) askLog(ctx context.Context, s *settings) error {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	f := &st.figures
	nc, err := s.connect()
	if err != nil {
		if f.Remote {
			return err
		}
		f.Log.Asked, f.Log.Error = true, err.Error()
		return nil
	}
	defer nc.Close()
	js, err := schema.JetStream(nc, s.domain)
	if err != nil {
		return err
	}
	return withRefusals(ctx, nc, s.creds, func(ctx context.Context) error {
		st.readLog(ctx, nc, js)
		return nil
	})
}

func (st *status) readLog(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) {
	f := &st.figures
	if f.Remote && f.State == nil {
		if f.State = health.AskRecorder(ctx, nc); f.State != nil {
			f.Age = 0 // it has just said so
		}
	}
	if f.Database == "" {
		f.Hosts = health.LogHosts(ctx, js)
		if f.State != nil {
			for name, at := range f.State.Projects {
				f.Streams = append(f.Streams, health.Stream{Name: name, Seq: at.Seq})
			}
		}
	}
	health.ReadLog(ctx, js, f)
	for _, h := range f.Hosts {
		if h.Stopped {
			st.Stopped = append(st.Stopped, h.Name)
		}
	}
	for i := range st.Streams {
		if stream, err := js.Stream(ctx, st.Streams[i].Stream); err == nil {
			state := stream.CachedInfo().State
			st.Streams[i].Last, st.Streams[i].Bytes = &state.LastSeq, &state.Bytes
		} else {
			st.Streams[i].Gone = errors.Is(err, jetstream.ErrStreamNotFound)
		}
	}
	for i := range st.Hosts {
		if err := query.InFlight(ctx, js, &st.Hosts[i]); err != nil {
			return
		}
	}
}

// spoolOf is what waits in the data folder for the log; nil for nothing.
func spoolOf(s *settings) *state.Disk {
	if s.data == "" {
		return nil
	}
	d := spool.DepthOf(livesIn(s.data))
	if d.Messages == 0 {
		return nil
	}
	return &state.Disk{Messages: d.Messages, Items: d.Items, Bytes: d.Bytes}
}

// addWaiting adds to the books what waits in the sampler of the process that projects.
func (st *status) addWaiting() {
	p := st.figures.State
	for i := range st.Hosts {
		if p.Sampler != nil && st.Hosts[i].Host == p.Sampler.Host && !p.Ended {
			query.Waiting(&st.Hosts[i], p.Sampler.Instance, p.Sampler.Last)
		}
	}
}
