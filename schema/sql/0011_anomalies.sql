-- What rules found: each row is an episode, from its start to its end (docs/anomalies.md). Fed by the messages of episodes on the stream of
-- events; the one of the highest revision counts.
CREATE TABLE anomalies (
  episode_id TEXT PRIMARY KEY,            -- 32 hexadecimal digits, from host, boot, rule, subject and start
  id INTEGER NOT NULL,                    -- of the message that counts
  revision INTEGER NOT NULL,              -- how often something was told of it
  host_id INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  rule TEXT NOT NULL,
  rule_digest TEXT NOT NULL,              -- of what the rule said then
  type TEXT NOT NULL,                     -- memory_spike, runaway_process, …; custom for a rule that names none
  severity TEXT NOT NULL,                 -- the worst so far: low, medium, high or critical
  subject TEXT NOT NULL,                  -- what it is about: process, group, job, run, host or gpu
  pid INTEGER, start_ticks INTEGER,       -- of a process
  command TEXT, cgroup TEXT,
  job_id TEXT,                            -- the job, or that of the process; NULL for none
  fleet INTEGER NOT NULL DEFAULT 0,       -- 1: the job is the fleet's, and not the host's own
  run_id TEXT, sheet_num INTEGER, gpu INTEGER,
  started REAL NOT NULL,                  -- since when the condition held
  noticed REAL NOT NULL,                  -- when it had held for as long as the rule asks
  peaked REAL NOT NULL,                   -- when the value was at its worst
  last_seen REAL NOT NULL,
  ended REAL,                             -- NULL while it goes on
  end_reason TEXT,                        -- recovered, gone, rebooted, rule_changed or moment
  metric TEXT,                            -- what the value is, as rss_mb
  first_value REAL, peak_value REAL, last_value REAL,
  threshold REAL,                         -- that the value was beyond when it was noticed
  more_values TEXT NOT NULL DEFAULT '{}', -- JSON object of what else the rule names, at the peak
  samples INTEGER NOT NULL,               -- observations in which the condition held
  description TEXT NOT NULL,
  labels TEXT NOT NULL DEFAULT '{}'       -- JSON object
) WITHOUT ROWID;
CREATE INDEX anomalies_by_id ON anomalies(id);
CREATE INDEX anomalies_by_time ON anomalies(started);
CREATE INDEX anomalies_by_end ON anomalies(last_seen);
CREATE INDEX anomalies_by_job ON anomalies(job_id) WHERE job_id IS NOT NULL;
CREATE INDEX anomalies_open ON anomalies(host_id) WHERE ended IS NULL;

-- What the rules remember of each host, between one message and the next: values of a window, and episodes that go on.
CREATE TABLE rule_memories (
  stream TEXT NOT NULL,                   -- that the rules read
  host_id INTEGER NOT NULL,
  memory BLOB NOT NULL,
  PRIMARY KEY (stream, host_id)
) WITHOUT ROWID;

-- Episodes that the rules found here. One stays until the log has it.
CREATE TABLE found_anomalies (
  episode_id TEXT PRIMARY KEY,
  host_id INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  message BLOB NOT NULL                   -- as it goes to the log
) WITHOUT ROWID;
