package store

// WriteBatch writes the rows of a batch. Each table's rows are written in their order; no statement reads what another
// one of the batch writes into another table.
func (tx *Tx) WriteBatch(b *Batch) error {
	for _, write := range []func() error{
		func() error { return writeHosts(tx, b.Hosts, b.Boots) },
		func() error { return writeGaps(tx, b.Gaps) },
		func() error { return writeQuarantine(tx, b.Quarantined, b.Quarantine) },
		func() error { return writeProducers(tx, b.Producers) },
		func() error { return writeRosters(tx, b.Rosters) },
		func() error { return writeSnapshots(tx, b.Snapshots) },
		func() error { return writeProcesses(tx, b.Processes) },
		func() error { return writeSamples(tx, b.Samples) },
		func() error { return writeEvents(tx, b.Events) },
		func() error { return writeTold(tx, b.Told) },
		func() error { return writeLives(tx, b.Lives, b.Lanes) },
		func() error { return writeExecs(tx, b.Execs) },
		func() error { return writeJobEvents(tx, b.JobEvents) },
		func() error { return writeRuns(tx, b.JobEvents) },
		func() error { return writeJobPIDs(tx, b.JobPIDs, b.JobSamples) },
		func() error { return writeJobSyscalls(tx, b.JobSyscalls) },
		func() error { return writeJobSamples(tx, b.JobSamples, b.StepSamples) },
		func() error { return writeJobCounts(tx, b.JobCounts, b.StepCounts) },
		func() error { return writeHostMinutes(tx, b.HostMinutes, b.LifeMinutes) },
		func() error { return writeStepMinutes(tx, b.StepCPU, b.StepMinutes, b.ProgramMinutes) },
		func() error { return writeRollups(tx, b.Rollups) },
		func() error { return writeRunRecords(tx, b.RunRecords) },
		func() error { return writeAnomalies(tx, b.Anomalies) },
		func() error { return writeFoundAnomalies(tx, b.Found) },
		func() error { return writeRuleMemories(tx, b.Memories) },
		func() error { return writeCheckpoints(tx, b.Checkpoints) },
		func() error { return dropNote(tx, b.NoteTold) },
		func() error { return noteChange(tx, b) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}
