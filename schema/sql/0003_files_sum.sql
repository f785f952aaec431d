-- CRC-32C of the bytes of an NDJSON file that were written; -1: it is not known.
ALTER TABLE files ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
