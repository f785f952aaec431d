package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The streams of the log.
const (
	StreamSnapshots = "PROCTAPE_SNAPSHOTS"
	StreamEvents    = "PROCTAPE_EVENTS"
	StreamRollups   = "PROCTAPE_ROLLUPS"
	StreamHistory   = "PROCTAPE_HISTORY"
	StreamOps       = "PROCTAPE_OPS"
)

// DataStreams are the streams that are folded into tables, in the order in which they are declared. One stream feeds
// each table, so that the rows do not depend on how the streams interleave (docs/adr/0003).
var DataStreams = []string{StreamSnapshots, StreamEvents, StreamRollups, StreamHistory}

// StreamFor returns the name of the stream that keeps a kind.
func StreamFor(k Kind) string {
	switch k {
	case KindSnapshot:
		return StreamSnapshots
	case KindRollup:
		return StreamRollups
	case KindRun:
		return StreamHistory
	}
	return StreamEvents
}

// Policy is how long the log and the database keep what they hold. The zero Policy is the default one.
type Policy struct {
	FullResolution time.Duration // snapshots and their processes; default 24 hours
	Downsampled    time.Duration // one-minute aggregates; default 7 days
	Events         time.Duration // lifecycle events, execs, gaps and jobs; default 30 days
	Runs           time.Duration // runs of jobs; default 400 days, and as long as events at least
	MaxLogBytes    int64         // all streams together; default 10 GiB, negative for no cap
}

// WithDefaults returns p with the defaults in place of zeros.
func (p Policy) WithDefaults() Policy {
	def := Policy{FullResolution: 24 * time.Hour, Downsampled: 7 * 24 * time.Hour, Events: 30 * 24 * time.Hour, Runs: 400 * 24 * time.Hour,
		MaxLogBytes: 10 << 30}
	if p.FullResolution == 0 {
		p.FullResolution = def.FullResolution
	}
	if p.Downsampled == 0 {
		p.Downsampled = def.Downsampled
	}
	if p.Events == 0 {
		p.Events = def.Events
	}
	if p.Runs == 0 {
		p.Runs = max(def.Runs, p.Events)
	}
	if p.MaxLogBytes == 0 {
		p.MaxLogBytes = def.MaxLogBytes
	}
	return p
}

// DuplicateWindow is how long a server remembers message ids. It only saves work: the projector drops duplicates
// without a time limit.
const DuplicateWindow = 5 * time.Minute

// Keeps is how long the policy keeps the messages of a stream; 0 for no limit.
func (p Policy) Keeps(stream string) time.Duration {
	p = p.WithDefaults()
	switch stream {
	case StreamSnapshots:
		return p.FullResolution
	case StreamEvents:
		return p.Events
	case StreamRollups:
		return p.Downsampled
	case StreamHistory:
		return p.Runs
	}
	return 0
}

// The metadata of streams and durables.
const (
	metadataMadeBy = "made_by"
	madeBy         = "proctape"
	metadataKeeps  = "keeps"
)

// IsOurs reports whether proctape made a stream. Of another's nobody but its owner changes the settings.
func IsOurs(cfg jetstream.StreamConfig) bool { return cfg.Metadata[metadataMadeBy] == madeBy }

// Streams returns the settings of the log's streams. MaxAge is a backstop a little beyond the policy: retention trims
// first, as far as every database has committed, and gives the streams the longest policy of all databases of the log. Every stream has a MaxBytes, because without one a full store refuses
// every publish. Together the limits stay within the store.
func Streams(p Policy, replicas int) []jetstream.StreamConfig {
	p = p.WithDefaults()
	stream := func(name, what string, share int64, subjects ...string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Description: "proctape: " + what, Subjects: subjects, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
			Discard: jetstream.DiscardOld, MaxAge: MaxAge(p.Keeps(name)), MaxBytes: max(p.MaxLogBytes*share/100, -1),
			Duplicates: DuplicateWindow, AllowDirect: true, Replicas: max(replicas, 1), Compression: jetstream.S2Compression,
			Metadata: map[string]string{metadataMadeBy: madeBy},
		}
	}
	ops := stream(StreamOps, "what databases are told to do, on a schedule", 1, "proctape.ops.>")
	ops.AllowMsgSchedules, ops.AllowMsgTTL, ops.AllowRollup = true, true, true
	return []jetstream.StreamConfig{
		stream(StreamSnapshots, "what ran on each host, at each sample", 60, SubjectPrefix+"*.snapshot"),
		stream(StreamEvents, "starts, ends and execs of processes, jobs, anomalies, and gaps", 27, SubjectPrefix+"*.event.>", SubjectPrefix+"*.anomaly.>", SubjectPrefix+"*.job"),
		stream(StreamRollups, "minutes and hours of what ran on each host", 10, SubjectPrefix+"*.rollup"),
		stream(StreamHistory, "runs of jobs that have ended, with their totals", 2, SubjectPrefix+"*.run"),
		ops,
	}
}

// MaxAge returns what a stream is given that is kept for a time: that and a twelfth of it, at least two hours more. 0 is no
// limit and stays so.
func MaxAge(keeps time.Duration) time.Duration {
	if keeps == 0 {
		return 0
	}
	return keeps + max(keeps/12, 2*time.Hour)
}

// Keeping returns the settings of a durable that say how long its database wants the stream kept.
func Keeping(cfg jetstream.ConsumerConfig, keeps time.Duration) jetstream.ConsumerConfig {
	cfg.Metadata = map[string]string{metadataKeeps: keeps.String()}
	return cfg
}

// metadataDatabase and metadataHost say whose a durable is.
const (
	metadataDatabase = "database"
	metadataHost     = "host"
)

// OfDatabase has a durable say whose it is, to who looks at the server: the path of the database, and the name of this machine.
func OfDatabase(cfg jetstream.ConsumerConfig, what, path string) jetstream.ConsumerConfig {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	cfg.Description = fmt.Sprintf("proctape: %s %s on %s", what, path, host)
	if cfg.Metadata == nil {
		cfg.Metadata = map[string]string{}
	}
	cfg.Metadata[metadataDatabase], cfg.Metadata[metadataHost] = path, host
	return cfg
}

// KeptBy is how long the database of a durable wants the stream kept; ok is false when it does not say.
func KeptBy(cfg jetstream.ConsumerConfig) (keeps time.Duration, ok bool) {
	keeps, err := time.ParseDuration(cfg.Metadata[metadataKeeps])
	return keeps, err == nil
}

// ConsumerName returns the name of a database's durable on each stream. By the durables the server knows how far every
// database has come, and trimming the log waits for that.
func ConsumerName(databaseID string) string { return "projector-" + databaseID }

// Consumer returns the settings of a database's durable. An acknowledged sequence acknowledges everything before it. The
// position that counts is the checkpoint in the database.
func Consumer(databaseID string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: ConsumerName(databaseID), AckPolicy: jetstream.AckAllPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: time.Hour, MaxAckPending: -1, MaxDeliver: -1,
	}
}

// The subjects of the stream of operations: the schedule, whose subject is its identity on the server, and the ticks
// that the server makes of it (docs/adr/0010-retention.md).
const (
	SubjectSchedule = "proctape.ops.schedule.retention"
	SubjectTick     = "proctape.ops.tick.retention"
	HeaderAsked     = "Proctape-Asked" // on a tick that the schedule did not make: who asked for it
)

// NotifyConsumer returns the settings of the durable by which a notifier reads anomalies: those that come once it was made. The server forgets it a month
// after it was read last.
func NotifyConsumer(id string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: "notify-" + id, FilterSubject: AnomalySubjects("*"), AckPolicy: jetstream.AckAllPolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
		AckWait: time.Minute, MaxAckPending: -1, MaxDeliver: -1, InactiveThreshold: 30 * 24 * time.Hour,
	}
}

// TickConsumer returns the settings of a database's durable on the ticks of retention: one tick at a time, and none from
// before the durable was made. The server forgets it a month after the database last read.
func TickConsumer(databaseID string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: "retention-" + databaseID, FilterSubject: SubjectTick, AckPolicy: jetstream.AckExplicitPolicy,
		DeliverPolicy: jetstream.DeliverNewPolicy, MaxAckPending: 1, AckWait: 30 * time.Second,
		InactiveThreshold: 30 * 24 * time.Hour,
	}
}
