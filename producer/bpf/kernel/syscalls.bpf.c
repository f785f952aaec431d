//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts the system calls of the processes that are wanted, and of those that they start, and adds up the time that each took of a CPU.
#include "kernel.h"
#include <stdbool.h>
#include <bpf/bpf_tracing.h>

char LICENSE_OF_PROGRAMS[] SEC("license") = "Dual MIT/GPL";

// A call of the table of 32-bit programs.
#define CALL_32BIT 0x80000000

// TS_COMPAT of the kernel's arch/x86/include/asm/thread_info.h, TIF_32BIT of that of arm64.
#define COMPAT_X86 2
#define COMPAT_ARM64 (1 << 22)

static __always_inline bool is_32bit(struct task_struct *task)
{
	if (bpf_core_field_exists(task->thread_info.status))
		return task->thread_info.status & COMPAT_X86;
	return task->thread_info.flags & COMPAT_ARM64;
}

// What is known of a process that is wanted, by its pid in the first namespace.
struct watched {
	__u32 parent; // 0: not known
	__u32 alone;  // 1: what it starts is not watched
	__u32 ended;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct watched);
} processes SEC(".maps");

struct call_key {
	__u64 start; // of the process: its pid may be used again
	__u32 pid;
	__u32 call;
};

struct call_sum {
	__u64 calls;
	__u64 time; // ns on a CPU within the call
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct call_key);
	__type(value, struct call_sum);
} sums SEC(".maps");

// A thread within a call.
struct thread {
	__u64 entered; // 0: it is in none
	__u64 left;    // the CPU; 0: it is on one
	__u64 away;    // ns so far
	__u32 call;
	__u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

// What found no room: processes, and calls of them.
__u64 processes_lost;
__u64 calls_lost;

// When the programs were attached, CLOCK_MONOTONIC: a call that a thread was in then counts for nothing.
__u64 since;

SEC("tp_btf/sys_enter")
int BPF_PROG(enter, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = task->tgid;
	struct watched *w = bpf_map_lookup_elem(&processes, &pid);
	struct thread *t;

	if (!w || w->ended)
		return 0;
	t = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!t) {
		__sync_fetch_and_add(&calls_lost, 1);
		return 0;
	}
	t->left = t->away = 0;
	t->call = id;
	if (is_32bit(task))
		t->call |= CALL_32BIT;
	t->entered = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void add(struct call_key *key, __u64 time)
{
	struct call_sum none = {}, *sum = bpf_map_lookup_elem(&sums, key);

	if (!sum) {
		bpf_map_update_elem(&sums, key, &none, BPF_NOEXIST); // another thread may have done so: then it is found
		sum = bpf_map_lookup_elem(&sums, key);
	}
	if (!sum) {
		__sync_fetch_and_add(&calls_lost, 1);
		return;
	}
	__sync_fetch_and_add(&sum->calls, 1);
	__sync_fetch_and_add(&sum->time, time);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leave, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *t = bpf_task_storage_get(&threads, task, 0, 0);
	struct call_key key;

	if (!t || !t->entered || t->entered < since)
		return 0;
	key.start = task->group_leader->start_boottime;
	key.pid = task->tgid;
	key.call = t->call;
	add(&key, bpf_ktime_get_ns() - t->entered - t->away);
	t->entered = 0;
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempted, struct task_struct *before, struct task_struct *after)
{
	struct thread *t = bpf_task_storage_get(&threads, before, 0, 0);

	if (t && t->entered)
		t->left = bpf_ktime_get_ns();
	t = bpf_task_storage_get(&threads, after, 0, 0);
	if (t && t->entered && t->left) {
		t->away += bpf_ktime_get_ns() - t->left;
		t->left = 0;
	}
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(begun, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = parent->tgid;
	struct watched w = {}, *of;

	if (child->pid != child->tgid)
		return 0;
	of = bpf_map_lookup_elem(&processes, &pid);
	if (!of || of->alone)
		return 0;
	pid = child->tgid;
	w.parent = child->real_parent->tgid;
	if (bpf_map_update_elem(&processes, &pid, &w, BPF_ANY))
		__sync_fetch_and_add(&processes_lost, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ended, struct task_struct *task)
{
	struct watched *w;
	__u32 pid = task->tgid;

	if (task->signal->live.counter != 0)
		return 0;
	w = bpf_map_lookup_elem(&processes, &pid);
	if (w)
		w->ended = 1; // whoever reads takes what it did, and then forgets it
	return 0;
}
