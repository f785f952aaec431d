-- 1: the snapshot goes on from the one before it: the next number of the same sampler, in time, at the same interval, and the sampler sees the same. NULL: it does
-- not, it came late, or an older build stored it. So long stretches are read by their ends, and a gap or a change is a look-up.
ALTER TABLE snapshots ADD COLUMN goes_on INTEGER;
CREATE INDEX snapshots_by_host_time ON snapshots(host_id, timestamp);
CREATE INDEX snapshots_apart ON snapshots(host_id, timestamp) WHERE goes_on IS NULL;

-- What the sampler of a host's newest snapshot sees.
ALTER TABLE rosters ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';
ALTER TABLE rosters ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;

-- The snapshot that the first sample of peak_rss_kib is of. NULL: no sample knows its memory, or an older build stored it.
ALTER TABLE processes ADD COLUMN peak_snapshot INTEGER;
-- The memory of the first sample. NULL: it is unknown, or an older build stored it.
ALTER TABLE processes ADD COLUMN first_rss_kib INTEGER;
