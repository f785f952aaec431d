package mcp

import (
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/compare"
	"github.com/proctape/proctape/query/correlate"
	"github.com/proctape/proctape/query/estimate"
	"github.com/proctape/proctape/query/report"
	"github.com/proctape/proctape/query/why"
)

// tools are the questions, in the order in which an agent asks them.
var tools = []tool{
	define("overview", "What is recorded", "Ask this first. Which hosts are recorded, since when and until when, which jobs ran last and how they ended, what died last, and what is missing.",
		overview, overviewed{}),
	define("jobs", "Jobs, or the runs of one", "The jobs that were seen last, each with its last run and what it used. With job: the runs of that job, by number.", jobs, items[query.Job]{}, items[query.Run]{}),
	define("report", "What a run of a job used", "What the newest run of a job (or the run of a number, or all) used, step by step; its deaths and who had the memory; what it left running; advice with its figures.",
		reportOf, report.RunReport{}, report.Report{}),
	define("why", "Why a process or a job ended", "How a process lived and why it ended: of whom it was born, what killed it, who had the memory. Give pid, or event (the id of an event); or job, for what failed in it and the process that it began with.",
		whyOf, why.Story{}, why.JobStory{}),
	define("top", "Who used most", "Who used, or uses, most CPU, memory, I/O: at a time (at; now when nothing is given), or within a range (since, until).", top, lines{}),
	define("tree", "Which process bore which", "The processes of a time, each below the one that bore it, also where that has ended or they were re-parented.", tree, trees{}),
	define("compare", "What changed between runs", "Whether the newest run of a job used more than the runs before it, or than another job's, in all and step by step, and whether chance explains it.",
		compareOf, compare.Comparison{}),
	define("compare_times", "What changed between two times", "Which commands, users, jobs, steps, hosts and reasons of ends differ most between a time (since, until) and the time right before it, or the one that begins at before, and whether chance explains it. Ask it when something became slow and nobody knows what.",
		timesOf, compare.Windows{}),
	define("correlate", "What goes with failure and slowness", "Over the runs of a job: which of memory, time, CPU, I/O, processes, waiting, pressure, system calls and host goes with failure or slowness, by tests that are corrected together. Too few runs are said to be too few. What goes with failure need not cause it.",
		correlateOf, correlate.Answer{}),
	define("estimate", "What a next run will use", "Quantiles of time, CPU and peak memory of a next run of a job, in all and step by step, by its runs that ended well; and how the hosts are now.",
		estimateOf, estimate.Estimate{}),
	define("events", "What happened", "Starts, ends, signals and kills of processes, the newest first. failed picks ends by a signal or with another exit code than 0.", events, items[query.Event]{}),
	define("gaps", "What is missing", "What is missing from the record, and why: of a range, or of the last hour. The resource proctape://gap-kinds says what each kind means and what to do about it.", gaps, items[query.Gap]{}),
	define("orphans", "What outlived its parent or job", "The processes of a time whose parent or job has ended, and what they used since.", orphans, items[query.Orphan]{}),
	define("sql", "Ask in SQL", "The rows of one statement of SQLite's that reads. It cannot change anything. The resource proctape://schema has the tables and columns with their units; NULL is what is not known. Its coverage is of the last hour that was recorded, for nobody can tell which time a statement is of.",
		statement, rows{}),
}
