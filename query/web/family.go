package web

import "github.com/prometheus/client_golang/prometheus"

// family is one metric: what it is called and means, and its labels.
type family struct {
	name string
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) family {
	return family{"proctape_" + name, prometheus.NewDesc("proctape_"+name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) family {
	return family{"proctape_" + name, prometheus.NewDesc("proctape_"+name, help, labels, nil), prometheus.CounterValue}
}

// The metrics. None has a pid as a label: their number grows with hosts, and with jobs up to a limit.
var (
	itemsTotal     = counter("items_total", "Items of a host by what became of them: what was produced is stored, quarantined, missing, or has not come.", "host", "fate")
	lastMessage    = gauge("last_message_timestamp_seconds", "Time of the newest message of a host.", "host")
	checkpointSeq  = gauge("checkpoint_sequence", "Sequence up to which a stream of the log is in the database.", "stream")
	checkpointTime = gauge("checkpoint_timestamp_seconds", "When the log stored the message of that sequence.", "stream")
	databaseBytes  = gauge("database_bytes", "Size of the database's files.", "file")

	recordingLevel = gauge("recording_level", "Whether all is well: 0 well, 1 degraded, 2 standing.")
	troubles       = gauge("troubles", "Reasons why the recording is not well, by their kind.", "kind")
	streamLast     = gauge("log_last_sequence", "Sequence of the newest message of a stream of the log.", "stream")
	streamBytes    = gauge("log_bytes", "Size of a stream of the log.", "stream")
	streamLag      = gauge("lag_messages", "Messages of a stream that are not in the database yet.", "stream")
	queueItems     = gauge("queue_items", "Items that wait in the sampler of the recorder until the log takes them.")
	queueBytes     = gauge("queue_bytes", "Size of what waits in the sampler of the recorder.")
	spoolItems     = gauge("spool_items", "Items that wait on the disk of the recorder's sampler until the log takes them.")
	spoolBytes     = gauge("spool_bytes", "Bytes of the files in which items wait on the disk of the recorder's sampler.")
	queueLimit     = gauge("queue_limit_bytes", "Most that may wait in the sampler of the recorder.")
	gapsNoted      = gauge("gaps", "Gaps in the record, by their kind.", "kind")
	anomaliesOpen  = gauge("anomalies_open", "Episodes that go on, by the rule that found them.", "rule", "severity")
	retentionTime  = gauge("retention_timestamp_seconds", "When the last pass of retention ended.")
	retentionOK    = gauge("retention_success", "Whether the last pass of retention came to its end: 1, or 0.")
	provenTime     = gauge("proven_until_timestamp_seconds", "Time of which all that was committed by then is proven to be as it was written.")
	proofTime      = gauge("proof_timestamp_seconds", "When the last check of all pages of the database ended that found nothing.")

	kernelPrograms = gauge("kernel_programs", "Programs that the recorder has loaded into the kernel.")
	kernelBytes    = gauge("kernel_programs_memory_bytes", "Memory of the recorder's programs in the kernel, and of their maps.")
	kernelSeconds  = counter("kernel_programs_run_seconds_total", "Time that the recorder's programs in the kernel ran; only where the kernel counts it (sysctl kernel.bpf_stats_enabled).")

	hostAge       = gauge("host_snapshot_age_seconds", "How old the newest snapshot of a host is.", "host")
	hostProcesses = gauge("host_processes", "Processes of a host.", "host")
	hostZombies   = gauge("host_zombies", "Zombies of a host.", "host")
	hostCPUs      = gauge("host_cpus", "Processors of a host.", "host")
	hostLoad1     = gauge("host_load1", "Load of a host over a minute.", "host")
	hostMemory    = gauge("host_memory_bytes", "Memory of a host.", "host", "kind")
	hostPressure  = gauge("host_pressure_ratio", "Share of the last ten seconds in which tasks of a host stalled.", "host", "resource", "stalled")
	gpuUse        = gauge("gpu_utilization_ratio", "How busy a GPU is.", "host", "gpu")
	gpuMemory     = gauge("gpu_memory_used_bytes", "Memory in use on a GPU.", "host", "gpu")

	jobCPU    = counter("job_cpu_seconds_total", "CPU time of a job's processes.", "job", "scope")
	jobPeak   = gauge("job_peak_rss_bytes", "Most resident memory of one process of a job.", "job", "scope")
	jobStarts = counter("job_spawns_total", "Processes that a job started.", "job", "scope")
	jobOOMs   = counter("job_oom_kills_total", "Processes of a job that were killed for want of memory.", "job", "scope")
)

var families = []family{itemsTotal, lastMessage, checkpointSeq, checkpointTime, databaseBytes, recordingLevel, troubles,
	streamLast, streamBytes, streamLag, queueItems, queueBytes, queueLimit, spoolItems, spoolBytes, gapsNoted, anomaliesOpen, retentionTime, retentionOK, provenTime, proofTime, kernelPrograms, kernelBytes, kernelSeconds, hostAge, hostProcesses, hostZombies, hostCPUs,
	hostLoad1, hostMemory, hostPressure, gpuUse, gpuMemory, jobCPU, jobPeak, jobStarts, jobOOMs}

// setter takes one value.
type setter func(f family, v float64, labels ...string)

// mib is the bytes of a MiB, in which values of the query library come.
const mib = 1 << 20
