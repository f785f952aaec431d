package store

// The write-ahead log is written back into the database from walBack frames on, and reset when no reader is in the way. A
// reader that lingers lets it grow: from WALTrim bytes on the session asks for the reset at every commit, and from WALStop on
// it waits, since the messages are safe in the log.
const (
	walBack = 1000
	WALTrim = 32 << 20
	WALStop = 52 << 20 // one transaction more stays below 64 MiB
)
