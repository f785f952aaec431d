// Package schema is the contract between all parts of proctape. It says what a message holds and how it is encoded,
// which subjects and streams carry it, and into which SQL tables it is folded.
//
// # Units and clocks
//
// Sizes are KiB or bytes, as the field's name says. CPU time is cumulative. Wall times are Unix nanoseconds, UTC.
// Boot times are nanoseconds of CLOCK_BOOTTIME (clock_gettime(2)): they never step, and they go on while the
// machine sleeps, so durations and ages are computed from them. Unknown is not zero: a value that could not be read is an
// [Opt] that is not known.
//
// # Identity
//
// A process is (host, boot id, pid, start ticks). A pid alone names no process for long. An item is
// (instance, kind, number): the producer numbers what it makes. That number makes the item unique. The stream's sequence
// does not: a log can lose an acknowledged tail when the power fails, and give its sequences to other messages.
//
// # Compatibility
//
// Every record is an array, and fields are only appended to it. A reader skips a tail that it does not know, and reads
// a missing tail as unknown. A list must have enough bytes for the first version's fields of all its records.
// The golden bytes are in testdata.
package schema
