-- Of cpu_us, what the kernel used on behalf of the processes. NULL where the two are not known apart.
ALTER TABLE runs ADD COLUMN system_cpu_us INTEGER;
ALTER TABLE run_steps ADD COLUMN system_cpu_us INTEGER;
ALTER TABLE run_records ADD COLUMN system_cpu_us INTEGER;
