-- The life of each process of which a start or an end was told, to draw it as a bar. Times are Unix milliseconds. class is of its length: the
-- whole part of log2(ms)/2; 31 while it goes on. lane is its row among the lives of its host, job and step: no two that were there at one time
-- have the same; -1 until it is given, within a second or so. Lives are fed by the stream of events; they go with the events.
CREATE TABLE lives (
  host_id INTEGER NOT NULL,
  class INTEGER NOT NULL,
  start_ms INTEGER NOT NULL,
  first_event INTEGER NOT NULL,           -- the row of process_events that told of it first: its start, or its end where no start was told
  pid INTEGER NOT NULL,
  end_ms INTEGER,                         -- NULL while it goes on
  lane INTEGER NOT NULL,
  job_id TEXT NOT NULL,                   -- '' for none
  fleet INTEGER NOT NULL,
  sheet_num INTEGER NOT NULL,             -- -1 for none
  event_id INTEGER NOT NULL,              -- of process_events: its end, or its start while none was told
  start_ticks INTEGER,                    -- 0 when unknown, NULL once it has ended
  boot_id TEXT,                           -- NULL once it has ended
  PRIMARY KEY (host_id, class, start_ms, first_event)
) WITHOUT ROWID;

-- Until when each lane of a step is taken.
CREATE TABLE lanes (
  host_id INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  fleet INTEGER NOT NULL,
  sheet_num INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,              -- 4611686018427387904 while the life in it goes on
  PRIMARY KEY (host_id, job_id, fleet, sheet_num, lane)
) WITHOUT ROWID;
