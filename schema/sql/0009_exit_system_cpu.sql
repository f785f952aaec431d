-- Of cpu_ms, what the kernel used on behalf of the process. NULL where the two are not known apart.
ALTER TABLE process_events ADD COLUMN system_cpu_ms INTEGER;
