-- What a snapshot says of its host beside the columns that the contract names: a JSON object. A key that is not there is not
-- known; unknown lists the keys of the message whose columns are NULL.
ALTER TABLE snapshots ADD COLUMN host_values TEXT NOT NULL DEFAULT '{}';
