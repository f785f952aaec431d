package schema

// GapKind says what happened when something is missing from the record.
type GapKind string

// The kinds of gaps. Each has a [GapInfo] in [GapKinds].
const (
	GapEventsLost      GapKind = "events_lost"
	GapExitRecordsLost GapKind = "exit_records_lost"
	GapEventsDropped   GapKind = "events_dropped"
	GapMissing         GapKind = "missing"
	GapBeforeLog       GapKind = "before_log"
	GapDropped         GapKind = "dropped"
	GapEndLost         GapKind = "end_lost"
	GapEndUnknown      GapKind = "end_unknown"
	GapQuarantined     GapKind = "quarantined"
	GapReboot          GapKind = "reboot"
	GapRestart         GapKind = "restart"
	GapMissedTicks     GapKind = "missed_ticks"
	GapSilence         GapKind = "silence"
	GapTwoSamplers     GapKind = "two_samplers"
	GapClockStep       GapKind = "clock_step"
	GapStreamHole      GapKind = "stream_hole"
	GapTrimmedUnread   GapKind = "trimmed_unread"
	GapStreamRecreated GapKind = "stream_recreated"
	GapStreamLostEnd   GapKind = "stream_lost_end"
	GapStreamRegrown   GapKind = "stream_regrown"
	GapLinesLost       GapKind = "lines_lost"
	GapLogDamaged      GapKind = "log_damaged"
	GapDatabaseDamaged GapKind = "database_damaged"
	GapNotBundled      GapKind = "not_bundled"
)

// GapNoticer is the part of proctape that notices gaps of a kind.
type GapNoticer string

// The parts that notice gaps.
const (
	NoticedBySampler   GapNoticer = "sampler"   // it publishes a message of [KindGap]
	NoticedByProjector GapNoticer = "projector" // it writes a row
	NoticedByLog       GapNoticer = "log"       // it checks its files; the sampler beside it publishes a message of [KindGap]
	NoticedByBundle    GapNoticer = "bundle"    // it writes a row into the bundle that it makes
)

// GapLoss says whether something is missing where there is a gap.
type GapLoss string

// The answers. The zero value is none of them.
const (
	LossCertain  GapLoss = "yes"
	LossPossible GapLoss = "perhaps" // a count of 0 says that nothing is
	LossNone     GapLoss = "no"
)

// GapInfo describes a kind of gap.
type GapInfo struct {
	Kind    GapKind
	Doc     string // one line for people: what it means; the details of a gap that the sampler notices
	Noticer GapNoticer
	Loss    GapLoss
	Counts  string // what the gap's count counts; empty: such a gap has no count
	Remedy  string // what to do about it
	Hides   GapHides
}

// GapHides says of what a gap hides that the record knows all of it, from the gap's beginning to its end.
type GapHides string

// What gaps hide. The names are those of the documents.
const (
	HidesNothing   GapHides = "–"
	HidesAll       GapHides = "everything"
	HidesSnapshots GapHides = "snapshots"
	HidesEvents    GapHides = "starts and ends, CPU, I/O"
	HidesTotals    GapHides = "CPU, I/O" // of what ended
	HidesItems     GapHides = "what the items are of"
	HidesStream    GapHides = "what the stream holds"
)

// gapKinds is the one list of kinds of gaps: those that the sampler notices, those between two messages of a producer,
// and those of a stream and of a file.
var gapKinds = [...]GapInfo{
	{GapEventsLost, "the kernel's events (fork, exec, exit of a thread) came faster than they were read", NoticedBySampler, LossCertain,
		"events that the kernel dropped, where it numbers them",
		"The next scan of /proc finds what still runs. Give the sampler more CPU, or start fewer short processes.", HidesEvents},
	{GapExitRecordsLost, "ends of threads without their exit record: CPU, memory and I/O of the process are not complete", NoticedBySampler, LossPossible,
		"threads that ended without an exit record, where the sampler knows them",
		"Do not trust the totals of processes that ended then. Give the sampler more CPU.", HidesTotals},
	{GapEventsDropped, "spawns, execs and exits that waited to be taken were more than are kept", NoticedBySampler, LossCertain,
		"spawns, execs and exits",
		"See why the sampler could not go on: a host that is out of memory, or a sampler that was stopped.", HidesEvents},
	{GapMissing, "a producer numbered items that did not come", NoticedByProjector, LossCertain,
		"items",
		"Nothing at first: what comes late fills the gap. What never comes was lost with the log or on the way to it.", HidesItems},
	{GapBeforeLog, "the first item of a producer in the log has a higher number than 1", NoticedByProjector, LossCertain,
		"items before the first",
		"Nothing: the log was trimmed, or made, after the producer began. Another database may have them.", HidesItems},
	{GapDropped, "the producer dropped items, and says so itself", NoticedByProjector, LossCertain,
		"items",
		"See in the details why. When its queue was full, the log was away for too long: look at the connection.", HidesItems},
	{GapEndLost, "a producer's life ended, and items that it had made did not come", NoticedByProjector, LossCertain,
		"items",
		"What never comes was in the producer's queue when it was cut off, or the log lost it: see in the details how much was acknowledged.", HidesItems},
	{GapEndUnknown, "a producer was cut off; what it made in the last seconds and did not publish is not known", NoticedByProjector, LossPossible,
		"",
		"Nothing if you killed it. If you did not, see in its log, or the kernel's, why it ended.", HidesEvents},
	{GapQuarantined, "items came and could not be read; they are in quarantine", NoticedByProjector, LossCertain,
		"items in quarantine",
		"Look at them with `proctape quarantine list`. A newer version may read them: `proctape quarantine replay`.", HidesItems},
	{GapReboot, "the host started anew", NoticedByProjector, LossPossible,
		"",
		"Nothing: what ran until then is not known to its end. Look for the cause in what ran last.", HidesAll},
	{GapRestart, "another sampler took over on the host", NoticedByProjector, LossPossible,
		"0 when no sample was missed; otherwise it is not known",
		"Nothing if you restarted it. If you did not, see in its log why it ended.", HidesAll},
	{GapMissedTicks, "the sampler did not take samples in time", NoticedByProjector, LossCertain,
		"samples",
		"The host or the sampler was too busy. Lengthen the interval, or give the sampler more CPU.", HidesSnapshots},
	{GapSilence, "no snapshot came for more than three periods, though none was missed", NoticedByProjector, LossPossible,
		"",
		"The host was suspended or the sampler stopped. `proctape gaps` also lists a host that is silent now.", HidesSnapshots},
	{GapTwoSamplers, "two samplers recorded under one name: the snapshots of the one that began last count, those of the other do not", NoticedByProjector, LossPossible,
		"snapshots of another machine, which are not in the record; 0 when both samplers were on one machine",
		"Stop one, or give it another name: `--host`. What both told of a start or an end counts once.", HidesNothing},
	{GapClockStep, "the host's wall clock was set by more than half a second", NoticedByProjector, LossNone,
		"always 0",
		"Mind it when you compare times before and after. See why the clock was wrong.", HidesNothing},
	{GapStreamHole, "the stream has no message for sequences between two that were read", NoticedByProjector, LossCertain,
		"messages of the stream",
		"The log removed them before they were read. Raise its caps, or keep the projector running.", HidesStream},
	{GapTrimmedUnread, "the stream begins above its first message; a new database cannot read what was before", NoticedByProjector, LossCertain,
		"messages of the stream",
		"Nothing: the log keeps messages for a limited time. An older database may have them.", HidesStream},
	{GapStreamRecreated, "the stream was deleted and made again; it is read from its beginning", NoticedByProjector, LossPossible,
		"",
		"What was folded stays. What was in the old stream and not folded is lost. See who deleted it.", HidesNothing},
	{GapStreamLostEnd, "the stream ends below what was read from it; it is read again from its beginning", NoticedByProjector, LossPossible,
		"",
		"What was folded stays. See whether the disk of the log fails, or the power did.", HidesNothing},
	{GapStreamRegrown, "the stream lost its end, and new messages took the old ones' sequences; it is read again from its beginning", NoticedByProjector, LossPossible,
		"",
		"What was folded stays. See whether the disk of the log fails, or the power did.", HidesNothing},
	{GapLinesLost, "monitor.jsonl or events.jsonl lost lines that were written, or is not as it was written, and could not be made anew from the rows", NoticedByProjector, LossCertain,
		"",
		"Write the lines anew: `proctape replay --db NEW --ndjson FOLDER`. See who cut or removed the file.", HidesNothing},
	{GapLogDamaged, "files of the log were damaged; what could be read of them was kept", NoticedByLog, LossPossible,
		"messages of the log that a new database cannot read, where that is known",
		"What was folded before stays. Look at the disk. The damaged files are in the folder `damaged`: see docs/damage.md.", HidesNothing},
	{GapDatabaseDamaged, "the database was damaged, and was made anew from the log", NoticedByProjector, LossPossible,
		"rows that are lost, where they could be counted; 0 when the log had all of it",
		"Look at the disk. The damaged database is in the folder `damaged`: see docs/damage.md.", HidesStream},
	{GapNotBundled, "it is not in this bundle", NoticedByBundle, LossPossible,
		"",
		"Ask the recording that the bundle was made of, or whoever made it for more: see docs/bundle.md.", HidesAll},
}

// GapKinds are all kinds of gaps, in the order of the documents. The caller may change the slice.
func GapKinds() []GapInfo { return append([]GapInfo(nil), gapKinds[:]...) }

var gapInfos = func() map[GapKind]*GapInfo {
	m := make(map[GapKind]*GapInfo, len(gapKinds))
	for i := range gapKinds {
		m[gapKinds[i].Kind] = &gapKinds[i]
	}
	return m
}()

// Info returns what is known of the kind. known is false for a kind that this build does not have: a newer producer may
// send one.
func (k GapKind) Info() (info GapInfo, known bool) {
	if i := gapInfos[k]; i != nil {
		return *i, true
	}
	return GapInfo{}, false
}

// WellFormed reports whether the kind is 1 to 64 of a-z, 0-9 and _. A message with another one cannot be read.
func (k GapKind) WellFormed() bool {
	for i := range len(k) {
		if c := k[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(k) > 0 && len(k) <= 64
}
