-- Since when the sampler of a host's newest snapshot has the say, and which one had it before and was silent; and the last span in
-- which another recorded beside it: a JSON object.
ALTER TABLE rosters ADD COLUMN lead_wall_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rosters ADD COLUMN lead_boot_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rosters ADD COLUMN silent TEXT NOT NULL DEFAULT '';
ALTER TABLE rosters ADD COLUMN doubled TEXT NOT NULL DEFAULT '{}';
UPDATE rosters SET lead_wall_ns = wall_ns, lead_boot_ns = boot_ns;
