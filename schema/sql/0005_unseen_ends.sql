-- Nobody saw the end itself: it came within so many milliseconds before timestamp. cpu_ms, read_kib and write_kib are then at least,
-- and lifetime_ms is at most. NULL where the end was seen.
ALTER TABLE process_events ADD COLUMN within_ms INTEGER;
