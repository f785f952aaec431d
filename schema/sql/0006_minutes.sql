-- The minutes of hosts, and of the steps and programs on them, kept up as messages come. A picture of days and months is read from
-- these. timestamp is the start of the minute or hour, in Unix seconds; time comes first in the keys, as pictures are of a time.
--
-- The columns of host_minutes up to memory_total_kib are fed by snapshots, the others by events, as those of jobs.
CREATE TABLE host_minutes (
  timestamp REAL NOT NULL,
  host_id INTEGER NOT NULL,
  samples INTEGER NOT NULL DEFAULT 0,     -- snapshots
  cpu_samples INTEGER NOT NULL DEFAULT 0, -- of which so many know the CPU of a process
  cpu_sum INTEGER NOT NULL DEFAULT 0,     -- of all processes, thousandths of a core, summed over those
  cpu_max INTEGER,
  memory_samples INTEGER NOT NULL DEFAULT 0,
  memory_sum INTEGER NOT NULL DEFAULT 0,  -- in use, KiB, summed over those
  memory_max INTEGER,
  memory_total_kib INTEGER,               -- most
  starts INTEGER NOT NULL DEFAULT 0,
  ends INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,      -- of the ends, those by a signal
  PRIMARY KEY (timestamp, host_id)
) WITHOUT ROWID;

-- Hours, made of the minutes when they are over. This table is the database's own: no log gives it.
CREATE TABLE host_hours (
  timestamp REAL NOT NULL,
  host_id INTEGER NOT NULL,
  samples INTEGER NOT NULL, cpu_samples INTEGER NOT NULL, cpu_sum INTEGER NOT NULL, cpu_max INTEGER,
  memory_samples INTEGER NOT NULL, memory_sum INTEGER NOT NULL, memory_max INTEGER, memory_total_kib INTEGER,
  starts INTEGER NOT NULL, ends INTEGER NOT NULL, deaths INTEGER NOT NULL,
  PRIMARY KEY (timestamp, host_id)
) WITHOUT ROWID;

-- A minute of a step of a job on a host. job_id is '' for what belongs to no job, sheet_num -1 for no step.
CREATE TABLE step_minutes (
  timestamp REAL NOT NULL,
  host_id INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL,                 -- 1: the job is the fleet's, and not the host's own
  sheet_num INTEGER NOT NULL,
  cpu_ms INTEGER NOT NULL DEFAULT 0,      -- that snapshots tell of
  starts INTEGER NOT NULL DEFAULT 0,
  ends INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  exit_cpu_ms INTEGER NOT NULL DEFAULT 0, -- that exits tell of and no snapshot has
  largest_kib INTEGER,                    -- most memory of a process that ended
  longest_ms INTEGER,                     -- life of a process that ended
  PRIMARY KEY (timestamp, host_id, job_id, fleet, sheet_num)
) WITHOUT ROWID;

-- The same by program, of what started and ended.
CREATE TABLE program_minutes (
  timestamp REAL NOT NULL,
  host_id INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL,
  sheet_num INTEGER NOT NULL,
  program TEXT NOT NULL,                  -- the last part of the path, at most 64 bytes
  starts INTEGER NOT NULL DEFAULT 0,
  ends INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  cpu_ms INTEGER NOT NULL DEFAULT 0,      -- of the whole lives of those that ended
  largest_kib INTEGER,
  longest_ms INTEGER,
  PRIMARY KEY (timestamp, host_id, job_id, fleet, sheet_num, program)
) WITHOUT ROWID;
