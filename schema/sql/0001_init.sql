-- The tables that the log is folded into. Every table is fed by one stream, or its columns are, group by group;
-- so the rows are the same however the streams interleave (docs/adr/0003-one-table-one-stream.md).

-- What the database says of itself, by name.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

-- Where each stream has been folded to. Written in the transaction that holds the rows.
CREATE TABLE checkpoints (
  stream       TEXT PRIMARY KEY,
  epoch        INTEGER NOT NULL,          -- rises when the stream is another one than before
  created      INTEGER NOT NULL,          -- the stream's creation, Unix ns
  id_base      INTEGER NOT NULL,          -- row id = id_base + stream sequence
  first_seq    INTEGER NOT NULL,          -- first sequence folded; 0 when that is not where the stream began
  seq          INTEGER NOT NULL,          -- last sequence folded
  message_time INTEGER NOT NULL,          -- when the server stored that message, Unix ns
  process_id   INTEGER NOT NULL DEFAULT 0 -- last id given to a process
) WITHOUT ROWID;

-- How far each NDJSON file has been written when the rows were committed.
CREATE TABLE files (
  name       TEXT PRIMARY KEY,            -- the way to the file from the database
  generation INTEGER NOT NULL,            -- rotations so far
  size       INTEGER NOT NULL,            -- bytes of the current file
  lines      INTEGER NOT NULL
) WITHOUT ROWID;

-- The hosts that samples came from. The host _ stands for the fleet.
CREATE TABLE hosts (
  id   INTEGER PRIMARY KEY,               -- from the name, so that every database gives a host the same id
  name TEXT NOT NULL UNIQUE
);

-- One row for each kind that each life of a producer has sent: what came, and the next number expected.
CREATE TABLE producers (
  host_id     INTEGER NOT NULL,           -- hosts.id
  instance    TEXT NOT NULL,              -- a life of a producer
  kind        TEXT NOT NULL,              -- of the messages
  boot_id     TEXT NOT NULL,              -- of the kernel: /proc/sys/kernel/random/boot_id
  next_seq    INTEGER NOT NULL,
  stored      INTEGER NOT NULL DEFAULT 0,
  duplicates  INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  missing     INTEGER NOT NULL DEFAULT 0,
  produced    INTEGER NOT NULL DEFAULT 0, -- items of all kinds that the life has made, as it last said
  acked       INTEGER NOT NULL DEFAULT 0, -- of which the log had acknowledged so many
  ended_ns    INTEGER NOT NULL DEFAULT 0, -- wall time of its last item, once a later life has told of its end
  dropped     TEXT NOT NULL DEFAULT '{}', -- JSON object reason -> count, of all kinds, as the producer last said
  first_ns    INTEGER NOT NULL,
  last_ns     INTEGER NOT NULL,       -- wall time of the newest message
  last_boot_ns INTEGER NOT NULL,
  PRIMARY KEY (host_id, instance, kind)
) WITHOUT ROWID;

-- The newest snapshot of each host by its own clocks, which a late one is not.
CREATE TABLE rosters (
  host_id INTEGER PRIMARY KEY,
  last_snapshot INTEGER NOT NULL,         -- the last that came, late or not
  boot_id TEXT NOT NULL,
  instance TEXT NOT NULL,
  seq INTEGER NOT NULL,
  tick INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL,
  boot_ns INTEGER NOT NULL,
  interval_ns INTEGER NOT NULL
);

-- The boots of each host that were ever seen.
CREATE TABLE boots (
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  PRIMARY KEY (host_id, boot_id)
) WITHOUT ROWID;

-- A look at a host: all of its processes at one time. The processes are in process_metrics.
CREATE TABLE snapshots (
  id INTEGER PRIMARY KEY,
  timestamp REAL NOT NULL,                -- of the look
  daemon_pid INTEGER,
  system_memory_total_mb REAL,
  system_memory_available_mb REAL,
  system_memory_used_mb REAL,
  daemon_rss_mb REAL,
  child_count INTEGER,
  zombie_count INTEGER,
  load_avg_1 REAL,
  load_avg_5 REAL,
  load_avg_15 REAL,
  gpu_count INTEGER,
  gpu_utilization_pct TEXT,
  gpu_memory_used_mb TEXT,
  gpu_temperature TEXT,
  pressure_level TEXT,
  running_jobs INTEGER,
  active_sheets INTEGER,
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  boot_ns INTEGER NOT NULL,               -- CLOCK_BOOTTIME of the look
  wall_ns INTEGER NOT NULL,               -- what timestamp is made of, to the nanosecond
  instance TEXT NOT NULL,
  seq INTEGER NOT NULL,
  tick INTEGER NOT NULL,                  -- number of the sampler's period
  interval_ns INTEGER NOT NULL,
  cpus INTEGER,
  partial INTEGER NOT NULL DEFAULT 0,
  hidden_count INTEGER NOT NULL DEFAULT 0,
  conductor_uptime_seconds REAL,
  zombie_pids TEXT NOT NULL DEFAULT '[]',
  gpus TEXT NOT NULL DEFAULT '[]',        -- JSON, with what the contract's columns have no room for
  job_progress TEXT NOT NULL DEFAULT '[]',
  pressure TEXT,                          -- JSON object of stall percentages; NULL where the kernel has none
  capabilities TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX snapshots_by_time ON snapshots(timestamp);
CREATE INDEX snapshots_by_host ON snapshots(host_id, id);

-- A process as it was described for a span of snapshots. When its command, parent or job changes, a new row of the
-- same identity (host, boot, pid, start) follows.
CREATE TABLE processes (
  id INTEGER PRIMARY KEY,
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,           -- hundredths of a second after boot
  ppid INTEGER,
  command TEXT,
  job_id TEXT,
  fleet INTEGER NOT NULL DEFAULT 0,       -- 1: the job is the fleet's, and not the host's own
  sheet_num INTEGER,
  uid INTEGER,
  cgroup TEXT,
  first_snapshot INTEGER NOT NULL,
  last_snapshot INTEGER NOT NULL,         -- 4611686018427387904 while the process is there
  ended REAL,                             -- when the last snapshot that had it was made; NULL while it is there
  ended_boot_ns INTEGER,                  -- the same by the boot clock
  cpu_ms INTEGER NOT NULL,                -- cumulative CPU of the process at the last sample
  max_cpu_permille INTEGER,
  peak_rss_kib INTEGER,
  read_kib INTEGER,
  write_kib INTEGER
);
CREATE INDEX processes_by_pid ON processes(pid, start_ticks); -- many hosts have the pid, hardly any the start too
CREATE INDEX processes_by_job ON processes(job_id) WHERE job_id IS NOT NULL;
CREATE INDEX processes_by_end ON processes(ended) WHERE ended IS NOT NULL;
CREATE INDEX processes_open ON processes(host_id) WHERE last_snapshot = 4611686018427387904;

-- A process in a snapshot. Samples lie by snapshot and pid; those of a snapshot are a range of ids.
CREATE TABLE samples (
  id INTEGER PRIMARY KEY,                 -- of the snapshot, times 2^22, plus the pid
  process_id INTEGER NOT NULL,
  state TEXT,                             -- NULL is S
  cpu_permille INTEGER,                   -- of one core, in thousandths
  rss_kib INTEGER,
  vms_kib INTEGER,
  threads INTEGER,
  open_fds INTEGER,
  cpu_ms INTEGER,
  syscall_counts TEXT,
  syscall_time_pct TEXT,
  gpu_memory_kib INTEGER/* and further metrics of samples */
);

-- Starts, ends and deaths of processes, one by one.
CREATE TABLE process_events (
  id INTEGER PRIMARY KEY,
  timestamp REAL NOT NULL,
  pid INTEGER NOT NULL,
  event_type TEXT NOT NULL,               -- spawn, exit, signal, kill or oom
  exit_code INTEGER,
  signal_num INTEGER,
  job_id TEXT,
  sheet_num INTEGER,
  details TEXT,
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  boot_ns INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  ppid INTEGER,
  uid INTEGER,
  command TEXT,
  core INTEGER NOT NULL DEFAULT 0,
  cpu_ms INTEGER,
  peak_rss_kib INTEGER,
  read_kib INTEGER,
  write_kib INTEGER,
  lifetime_ms INTEGER,
  sampled_cpu_ms INTEGER,                 -- of cpu_ms, what the snapshots have
  source TEXT NOT NULL,
  instance TEXT NOT NULL,
  seq INTEGER NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0        -- 1: the job is the fleet's, and not the host's own
);
CREATE INDEX process_events_by_time ON process_events(timestamp);
CREATE INDEX process_events_by_job ON process_events(job_id, event_type, timestamp) WHERE job_id IS NOT NULL;
CREATE INDEX process_events_by_pid ON process_events(pid);

-- When a process that was known began to execute another program. What it executes right after its fork is told by its
-- spawn. This is no event type: readers of process_events know five.
CREATE TABLE process_execs (
  id INTEGER PRIMARY KEY,
  timestamp REAL NOT NULL,
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  boot_ns INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,           -- of the process, which an exec does not change; 0 when unknown
  uid INTEGER,                            -- after the exec, which may change it
  command TEXT,                           -- the new command line; NULL when it could not be read in time
  job_id TEXT,
  sheet_num INTEGER,
  source TEXT NOT NULL,
  instance TEXT NOT NULL,
  seq INTEGER NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0        -- 1: the job is the fleet's, and not the host's own
);
CREATE INDEX process_execs_by_time ON process_execs(timestamp);
CREATE INDEX process_execs_by_pid ON process_execs(pid);
CREATE INDEX process_execs_by_job ON process_execs(job_id) WHERE job_id IS NOT NULL;

-- What conductors said of their jobs, one by one. A job of the fleet is said of under the host _.
CREATE TABLE job_events (
  id INTEGER PRIMARY KEY,
  timestamp REAL NOT NULL,
  job_id TEXT NOT NULL,
  type TEXT NOT NULL,                     -- declared, sheet_started, sheet_ended, progress, ended
  sheet_num INTEGER,
  total_sheets INTEGER, last_completed_sheet INTEGER,
  status TEXT,
  pid INTEGER,
  exit_code INTEGER,
  command TEXT,
  details TEXT NOT NULL DEFAULT '',
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  boot_ns INTEGER NOT NULL,               -- of the message
  fleet INTEGER NOT NULL DEFAULT 0        -- 1: the job is the fleet's, and not the host's own
);
CREATE INDEX job_events_by_time ON job_events(timestamp);
CREATE INDEX job_events_by_job ON job_events(job_id);

-- A job's figures, kept up as messages come, so that a profile costs the same however long the record is.
--
-- A job belongs to its host, or to the fleet when a conductor declared it for all hosts. Of a host's own job there is one row.
-- Of the fleet's there is one for each host that has processes of it, with what that host says; and one under the host _,
-- with what the conductor said: status, progress, outcome. So nobody's message changes another's row. The tables that follow
-- have the same key.
CREATE TABLE jobs (
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,                 -- 1: the fleet's, 0: the host's own
  host_id INTEGER NOT NULL,
  -- from snapshots
  first_seen REAL, last_seen REAL,
  samples INTEGER NOT NULL DEFAULT 0,
  peak_rss_kib INTEGER,
  max_cpu_permille INTEGER,
  cpu_ms INTEGER NOT NULL DEFAULT 0,
  unique_pids INTEGER NOT NULL DEFAULT 0,
  -- from events
  spawns INTEGER NOT NULL DEFAULT 0,
  exits INTEGER NOT NULL DEFAULT 0,
  signals INTEGER NOT NULL DEFAULT 0,     -- signal and kill events
  ooms INTEGER NOT NULL DEFAULT 0,
  exit_cpu_ms INTEGER NOT NULL DEFAULT 0, -- CPU that exits tell of and no snapshot has
  exit_peak_rss_kib INTEGER,              -- the most that the kernel saw of a process that ended
  first_event REAL, last_event REAL,
  status TEXT, total_sheets INTEGER, last_completed_sheet INTEGER, current_sheet INTEGER,
  started REAL, ended REAL, exit_code INTEGER, command TEXT,
  PRIMARY KEY (job_id, fleet, host_id)
) WITHOUT ROWID;

-- The same of each step (sheet) of a job.
CREATE TABLE job_sheets (
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL,
  sheet_num INTEGER NOT NULL,
  peak_rss_kib INTEGER,
  max_cpu_permille INTEGER,
  cpu_ms INTEGER NOT NULL DEFAULT 0,
  exit_cpu_ms INTEGER NOT NULL DEFAULT 0, -- from events, as in jobs
  exit_peak_rss_kib INTEGER,
  started REAL, ended REAL, exit_code INTEGER, status TEXT,
  PRIMARY KEY (job_id, fleet, host_id, sheet_num)
) WITHOUT ROWID;

-- The pids that a job was ever seen with.
CREATE TABLE job_pids (
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  PRIMARY KEY (job_id, fleet, host_id, pid)
) WITHOUT ROWID;

-- The system calls of a job, of the processes that were traced.
CREATE TABLE job_syscalls (
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  time_pct_x100 INTEGER NOT NULL,         -- sum over all samples
  first_ns INTEGER NOT NULL,              -- wall time of the first snapshot that has it
  rank INTEGER NOT NULL,                  -- its place among the system calls of that snapshot
  PRIMARY KEY (job_id, fleet, host_id, name)
) WITHOUT ROWID;

-- The runs of jobs: each is one execution, whose id its conductor draws. What a conductor that draws none says belongs to the run
-- that was declared last. The number of a run within its job is in run_records (docs/adr/0024-run-records.md).
CREATE TABLE runs (
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL,
  run_id TEXT NOT NULL,                   -- 32 hexadecimal digits
  declared INTEGER NOT NULL DEFAULT 0,    -- 1: its declaration has come; 0: started is when it was first told of
  steps_only INTEGER NOT NULL DEFAULT 0,  -- 1: steps without a declared run; further steps join it
  started REAL NOT NULL,
  ended REAL,                             -- NULL while it runs
  ended_since REAL,                       -- not known exactly: it ended between this and ended
  inferred INTEGER NOT NULL DEFAULT 0,    -- 1: nobody saw the end; it was concluded
  exit_code INTEGER, signal_num INTEGER,  -- both NULL: the outcome is not known
  details TEXT,                           -- of the end
  status TEXT, status_time REAL,
  command TEXT,
  total_sheets INTEGER, last_completed_sheet INTEGER,
  boot_id TEXT, pid INTEGER, start_ticks INTEGER, supervisor INTEGER, -- its root, as its declaration names it
  last_event REAL NOT NULL,
  -- what it used in all, as its conductor knows it
  cpu_us INTEGER, cpu_source TEXT,        -- cgroup, wait4, exits or samples
  peak_rss_kib INTEGER, peak_source TEXT, -- of the largest process
  group_peak_kib INTEGER,                 -- of all at one time, by the control group
  read_kib INTEGER, write_kib INTEGER, io_source TEXT,
  pids_peak INTEGER, processes INTEGER,
  PRIMARY KEY (job_id, fleet, host_id, run_id)
) WITHOUT ROWID;
CREATE INDEX runs_by_start ON runs(job_id, fleet, host_id, started, run_id);
CREATE INDEX runs_by_event ON runs(last_event);

-- The steps (sheets) of runs.
CREATE TABLE run_steps (
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  sheet_num INTEGER NOT NULL,
  started REAL, ended REAL,
  exit_code INTEGER, signal_num INTEGER,
  status TEXT, status_time REAL,
  cpu_us INTEGER, cpu_source TEXT, peak_rss_kib INTEGER, peak_source TEXT, group_peak_kib INTEGER, -- as of a run
  read_kib INTEGER, write_kib INTEGER, io_source TEXT, pids_peak INTEGER, processes INTEGER,
  PRIMARY KEY (job_id, fleet, host_id, run_id, sheet_num)
) WITHOUT ROWID;

-- Runs as PROCTAPE_HISTORY tells of them: with their numbers, and with their totals when they have ended. It outlives what the other tables
-- have of a run. A later record of a run is in the place of the one before.
CREATE TABLE run_records (
  id INTEGER NOT NULL,                    -- of the message
  timestamp REAL NOT NULL,                -- when something was last told of the run
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL DEFAULT 0,
  host_id INTEGER NOT NULL,
  run_id TEXT NOT NULL,
  number INTEGER NOT NULL,                -- within the job of the host, or of the fleet; it never changes
  record INTEGER NOT NULL,                -- how many records of the run there have been
  started REAL NOT NULL,
  ended REAL, ended_since REAL,           -- as in runs
  inferred INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER, signal_num INTEGER,
  details TEXT, status TEXT, command TEXT,
  total_sheets INTEGER, last_completed_sheet INTEGER,
  cpu_us INTEGER, cpu_source TEXT, peak_rss_kib INTEGER, peak_source TEXT, group_peak_kib INTEGER, -- as in runs
  read_kib INTEGER, write_kib INTEGER, io_source TEXT, pids_peak INTEGER, processes INTEGER,
  lower_bound INTEGER NOT NULL DEFAULT 0, -- 1: figures from exits are at least what it used
  steps TEXT NOT NULL DEFAULT '[]',       -- JSON: docs/wire.md, RunStep
  PRIMARY KEY (job_id, fleet, host_id, run_id)
) WITHOUT ROWID;
CREATE INDEX run_records_by_id ON run_records(id);
CREATE INDEX run_records_by_time ON run_records(timestamp);

-- Holes in the story. A hole in a producer's numbers shrinks, and goes, when what was missing comes after all.
CREATE TABLE gaps (
  stream TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  at_seq INTEGER NOT NULL,                -- the message at which the hole was noticed
  n INTEGER NOT NULL,
  timestamp REAL NOT NULL,                -- of that message
  kind TEXT NOT NULL,                     -- what happened; docs/gaps.md
  host_id INTEGER,
  instance TEXT,
  message_kind TEXT,                      -- of the numbers that are missing
  first_seq INTEGER, last_seq INTEGER,    -- the numbers that are missing, or in quarantine
  count INTEGER,                          -- items missing; NULL when nobody can tell
  from_time REAL, to_time REAL,
  details TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (stream, epoch, at_seq, n)
) WITHOUT ROWID;
CREATE INDEX gaps_by_time ON gaps(timestamp);
CREATE INDEX gaps_by_producer ON gaps(instance, message_kind, first_seq) WHERE first_seq IS NOT NULL;

-- How many messages of a host could not be folded. The bodies of the first are kept, of the others one in a hundred.
CREATE TABLE quarantine_counts (
  stream TEXT NOT NULL,
  host   TEXT NOT NULL,                   -- '' for subjects that name none
  reason TEXT NOT NULL,
  count  INTEGER NOT NULL,
  PRIMARY KEY (stream, host, reason)
) WITHOUT ROWID;

-- Messages that could not be folded, with their bytes, so that a later version can.
CREATE TABLE quarantine (
  stream TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  timestamp REAL NOT NULL,                -- when the server stored the message
  subject TEXT NOT NULL,
  host TEXT,                              -- the subject's host
  message_id TEXT,
  reason TEXT NOT NULL,                   -- one of a few words
  error TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  headers TEXT NOT NULL DEFAULT '{}',
  payload BLOB,                           -- NULL when it was too large to keep, or one too many
  PRIMARY KEY (stream, epoch, seq)
) WITHOUT ROWID;

-- One minute of a host, of the snapshots that left full resolution.
CREATE TABLE rollups (
  id INTEGER PRIMARY KEY,
  timestamp REAL NOT NULL,                -- start of the minute
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,                  -- of the newest snapshot in it
  boot_ns INTEGER NOT NULL,
  samples INTEGER NOT NULL,               -- snapshots that went in
  covers TEXT NOT NULL,                   -- which: JSON array of [instance, first seq, last seq]
  interval_ns INTEGER NOT NULL,
  daemon_pid INTEGER,
  daemon_rss_kib INTEGER,
  cpus INTEGER,
  memory_total_kib INTEGER NOT NULL,
  memory_used_mean INTEGER, memory_used_max INTEGER, memory_used_p95 INTEGER, -- KiB
  load1_mean INTEGER, load1_max INTEGER, load1_p95 INTEGER,                   -- hundredths
  load5 INTEGER, load15 INTEGER,                                              -- hundredths, last
  cpu_mean INTEGER, cpu_max INTEGER, cpu_p95 INTEGER,                         -- of all processes, thousandths of a core
  process_count INTEGER NOT NULL,
  zombie_count INTEGER NOT NULL,
  pressure_level TEXT,
  running_jobs INTEGER, active_sheets INTEGER,
  partial INTEGER NOT NULL DEFAULT 0,
  gpus TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX rollups_by_time ON rollups(timestamp);
CREATE UNIQUE INDEX rollups_by_host ON rollups(host_id, timestamp);

-- A process as rollups describe it. The id is made of the description, so that every database gives the same.
CREATE TABLE rollup_processes (
  id INTEGER PRIMARY KEY,
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,
  ppid INTEGER,
  command TEXT,
  job_id TEXT,
  fleet INTEGER NOT NULL DEFAULT 0,       -- 1: the job is the fleet's, and not the host's own
  sheet_num INTEGER,
  uid INTEGER,
  last_hour REAL NOT NULL                 -- start of the hour of the newest minute that has it
);
CREATE INDEX rollup_processes_by_pid ON rollup_processes(pid);
CREATE INDEX rollup_processes_by_job ON rollup_processes(job_id) WHERE job_id IS NOT NULL;
CREATE INDEX rollup_processes_by_age ON rollup_processes(last_hour);

-- One minute of a process. What has no spread is that of the minute's last snapshot with the process in it.
CREATE TABLE process_rollups (
  process_id INTEGER NOT NULL,            -- rollup_processes.id
  rollup_id INTEGER NOT NULL,             -- rollups.id
  samples INTEGER NOT NULL,
  cpu_mean INTEGER, cpu_max INTEGER, cpu_p95 INTEGER, -- thousandths of a core; NULL when unknown
  rss_mean INTEGER, rss_max INTEGER, rss_p95 INTEGER, -- KiB
  last_boot_ns INTEGER NOT NULL,
  state TEXT,                             -- NULL is S
  vms_kib INTEGER,
  threads INTEGER,
  open_fds INTEGER,
  cpu_ms INTEGER/* and further metrics of process_rollups */,
  PRIMARY KEY (process_id, rollup_id)
) WITHOUT ROWID;
CREATE INDEX process_rollups_by_minute ON process_rollups(rollup_id);

-- What retention did, pass by pass, newest last. This and the next table are this database's own: no log gives them.
CREATE TABLE retention_passes (
  id INTEGER PRIMARY KEY,
  started REAL NOT NULL, finished REAL NOT NULL,
  asked TEXT NOT NULL,                    -- schedule or command
  removed TEXT NOT NULL,                  -- JSON object: what went, by name
  error TEXT NOT NULL DEFAULT ''
);

-- How far each host was at the last pass: whose boot clock goes on as ours does is live, whatever its wall clock says.
CREATE TABLE retention_hosts (
  host_id INTEGER PRIMARY KEY,
  boot_id TEXT NOT NULL,
  boot_ns INTEGER NOT NULL,
  clock_ns INTEGER NOT NULL               -- retention's clock then
);

-- How far the other databases of the log are, and since when they stand still.
CREATE TABLE retention_databases (
  stream TEXT NOT NULL,
  consumer TEXT NOT NULL,
  acked INTEGER NOT NULL,                 -- stream sequence
  since_ns INTEGER NOT NULL,              -- Unix ns by retention's clock
  PRIMARY KEY (stream, consumer)
) WITHOUT ROWID;
