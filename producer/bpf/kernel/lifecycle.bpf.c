//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Tells of the starts, execs and ends of processes, and of who sent a signal, through a ring buffer.
#include "kernel.h"
#include "memory.h"
#include <bpf/bpf_tracing.h>

char LICENSE_OF_PROGRAMS[] SEC("license") = "Dual MIT/GPL";

enum kind {
	FORK,   // of a process; parent, start
	EXEC,   // with its arguments; uid, comm
	PEAK,   // the most memory of a program that another one takes the place of
	EXIT,   // of the last thread; status, uid, comm, peak, what is known of CPU and I/O
	FREE,   // of a process that was waited for: cpu and I/O are whole now
	SIGNAL, // parent is who sent it, status its number; uid and comm are the sender's
	KINDS
};

// What happened to a process. Times are nanoseconds, memory is pages.
struct process_event {
	__u64 time;  // CLOCK_BOOTTIME
	__u64 start; // of the process, CLOCK_BOOTTIME
	__u64 cpu;
	__u64 utime, stime; // as ticks found it, not scaled to cpu
	__u64 read_bytes, write_bytes;
	__s64 peak; // 0: not known
	__u32 kind;
	__u32 pid; // in the first pid namespace
	__u32 parent;
	__u32 uid;
	__u32 status;
	__u32 args_size;  // of an EXEC: bytes that follow
	__u64 args_total; // of an EXEC: bytes that there are
	char comm[16];
};

// Half of the arguments that are kept at most: of longer ones both ends are.
#define ARGS_HALF 8192

struct exec_event {
	struct process_event event;
	char args[2 * ARGS_HALF];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps");

// Where an exec is put together: the stack has no place for it.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_event);
} scratch SEC(".maps");

// How many of each kind found no room in the ring.
__u64 lost[KINDS];
// How many were put into it.
__u64 sent[KINDS];

// 0: nobody reads yet.
__u32 wanted;

static __always_inline void count(__u64 *counts, __u32 kind)
{
	if (kind < KINDS)
		__sync_fetch_and_add(&counts[kind], 1);
}

static __always_inline struct process_event *begin(__u32 kind)
{
	struct process_event *e;

	if (!wanted)
		return NULL;
	e = bpf_ringbuf_reserve(&ring, sizeof(*e), 0);
	if (!e) {
		count(lost, kind);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->time = bpf_ktime_get_boot_ns();
	return e;
}

static __always_inline void submit(struct process_event *e, __u32 kind)
{
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP); // whoever reads looks now and then: to wake costs more than all else
	count(sent, kind);
}

static __always_inline void set_process(struct process_event *e, struct task_struct *task)
{
	e->pid = task->tgid;
	e->start = task->group_leader->start_boottime;
}

static __always_inline void set_program(struct process_event *e, struct task_struct *task)
{
	e->uid = task->real_cred->euid.val;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), task->group_leader->comm);
}

static __always_inline __s64 peak_of(struct mm_struct *mm)
{
	struct counter_sum s = {};
	__s64 now;

	if (!mm || !exact_memory || sum_memory(&s, mm))
		return 0;
	now = resident(&s);
	return mm->hiwater_rss > now ? mm->hiwater_rss : now;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	struct process_event *e;

	if (child->pid != child->tgid || child->flags & KERNEL_THREAD)
		return 0;
	e = begin(FORK);
	if (!e)
		return 0;
	set_process(e, child);
	e->parent = child->real_parent->tgid;
	submit(e, FORK);
	return 0;
}

static __always_inline __u32 read_args(struct exec_event *x, struct mm_struct *mm)
{
	__u64 start = mm->arg_start, total = mm->arg_end - start;
	__u32 size = total;

	x->event.args_total = total;
	if (total > 2 * ARGS_HALF) {
		if (bpf_probe_read_user(x->args, ARGS_HALF, (void *)start) ||
		    bpf_probe_read_user(x->args + ARGS_HALF, ARGS_HALF, (void *)(start + total - ARGS_HALF)))
			return 0;
		return 2 * ARGS_HALF;
	}
	asm volatile("%0 &= 0x7fff" : "+r"(size)); // the verifier has to know that it is none too large
	if (size > 2 * ARGS_HALF || bpf_probe_read_user(x->args, size, (void *)start))
		return 0;
	return size;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, int old_pid)
{
	struct exec_event *x;
	struct process_event *e;
	__u32 zero = 0, size;

	if (!wanted)
		return 0;
	x = bpf_map_lookup_elem(&scratch, &zero);
	if (!x)
		return 0;
	e = &x->event;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = EXEC;
	e->time = bpf_ktime_get_boot_ns();
	set_process(e, task);
	set_program(e, task);
	size = read_args(x, task->mm);
	e->args_size = size;
	size += sizeof(*e);
	asm volatile("%0 &= 0x7fff" : "+r"(size));
	if (size > sizeof(*x))
		return 0;
	if (bpf_ringbuf_output(&ring, x, size, BPF_RB_NO_WAKEUP))
		count(lost, EXEC);
	else
		count(sent, EXEC);
	return 0;
}

// PF_FORKNOEXEC of the kernel's include/linux/sched.h: the memory is that of the parent.
#define NEVER_EXECUTED 0x00000040

SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(executes, struct task_struct *task)
{
	struct process_event *e;

	if (task->group_leader->flags & NEVER_EXECUTED)
		return 0;
	e = begin(PEAK);
	if (!e)
		return 0;
	set_process(e, task);
	e->peak = peak_of(task->mm);
	submit(e, PEAK);
	return 0;
}

static __always_inline void set_totals(struct process_event *e, struct signal_struct *s)
{
	e->cpu = s->sum_sched_runtime;
	e->utime = s->utime;
	e->stime = s->stime;
	if (bpf_core_field_exists(s->ioac.read_bytes)) {
		e->read_bytes = s->ioac.read_bytes;
		e->write_bytes = s->ioac.write_bytes;
	}
}

// SIGNAL_GROUP_EXIT of the kernel's include/linux/sched/signal.h.
#define GROUP_EXIT 4

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	struct signal_struct *s = task->signal;
	struct process_event *e;

	// Two threads that end at one moment may both find none left: whoever reads takes the first.
	if (s->live.counter != 0 || task->flags & KERNEL_THREAD)
		return 0;
	e = begin(EXIT);
	if (!e)
		return 0;
	set_process(e, task);
	set_program(e, task);
	e->parent = task->real_parent->tgid;
	e->status = s->flags & GROUP_EXIT ? s->group_exit_code : task->exit_code;
	e->peak = peak_of(task->mm);
	set_totals(e, s);
	// Its own is added to those when it is waited for. Its run time is that of the last tick.
	e->cpu += task->se.sum_exec_runtime;
	e->utime += task->utime;
	e->stime += task->stime;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		e->read_bytes += task->ioac.read_bytes;
		e->write_bytes += task->ioac.write_bytes;
	}
	submit(e, EXIT);
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(freed, struct task_struct *task)
{
	struct process_event *e;

	if (task->pid != task->tgid || task->flags & KERNEL_THREAD)
		return 0;
	e = begin(FREE);
	if (!e)
		return 0;
	e->pid = task->tgid;
	e->start = task->start_boottime;
	set_totals(e, task->signal);
	submit(e, FREE);
	return 0;
}

#define NO_LONGER_INFO 2 // below and this are no pointers but say that there is no information
#define SI_TIMER_CODE -2
#define SIGCHLD_NUMBER 17
#define SIGURG_NUMBER 23

SEC("tp_btf/signal_generate")
int BPF_PROG(signalled, int signal, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
{
	struct task_struct *sender;
	struct process_event *e;
	int code = 1;

	// Who runs now is the sender only where a system call made the signal: elsewhere it is the victim or a bystander.
	if (!wanted || result == 1 || signal == SIGCHLD_NUMBER || signal == SIGURG_NUMBER || (__u64)info <= NO_LONGER_INFO)
		return 0;
	if (bpf_probe_read_kernel(&code, sizeof(code), (void *)info + 8) || code > 0 || code == SI_TIMER_CODE)
		return 0;
	sender = bpf_get_current_task_btf();
	e = begin(SIGNAL);
	if (!e)
		return 0;
	set_process(e, task);
	set_program(e, sender);
	e->parent = sender->tgid;
	e->status = signal;
	submit(e, SIGNAL);
	return 0;
}

// Finds out where the parts of per-CPU values lie. It writes nothing.
SEC("iter/task")
int learn(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		learn_cpu(task);
	return 0;
}
