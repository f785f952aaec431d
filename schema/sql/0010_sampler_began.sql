-- When the sampler of this life began, by the boot clock: of two under one name the later one's samples count. 0 when it did not tell.
ALTER TABLE producers ADD COLUMN began_ns INTEGER NOT NULL DEFAULT 0;
