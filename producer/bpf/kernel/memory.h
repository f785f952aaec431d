//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// How much memory a process has, exactly: the kernel keeps it in sums and in parts of each CPU that are added to them now and then.
#ifndef PROCTAPE_MEMORY_H
#define PROCTAPE_MEMORY_H

#include "kernel.h"

#define MAX_CPUS 1024

// Set by the program that loads this.
volatile const __u64 runqueues_offset = 0; // of runqueues from the per-CPU variable that holds where per-CPU variables of the CPU lie; 0: not known
__u32 exact_memory;                        // not 0: learn_cpu has found what is needed for it

// Set by learn_cpu.
__u64 cpu_offsets[MAX_CPUS];
__u32 cpus; // one more than the highest that has an offset
__u32 cpus_known;

struct counter_sum {
	__u64 counters[4]; // per-CPU parts
	__s64 sum[4];
	__u32 failed;
};

static long add_cpu(__u32 cpu, struct counter_sum *s)
{
	__u64 offset;
	__s32 part;

	if (cpu >= MAX_CPUS)
		return 1;
	offset = cpu_offsets[cpu];
	if (!offset)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		if (bpf_probe_read_kernel(&part, sizeof(part), (void *)(s->counters[i] + offset))) {
			s->failed = 1;
			return 1;
		}
		s->sum[i] += part;
	}
	return 0;
}

static __always_inline __s64 not_negative(__s64 v) { return v < 0 ? 0 : v; }

#define START_SUM(i)                                              \
	do {                                                      \
		s->counters[i] = (__u64)mm->rss_stat[i].counters; \
		s->sum[i] = mm->rss_stat[i].count;                 \
	} while (0)

// Adds up the memory of a process, and returns 0 if that is known.
static __always_inline int sum_memory(struct counter_sum *s, struct mm_struct *mm)
{
	// The distance between two is another in the kernel: each has to be named for it to be found.
	START_SUM(0);
	START_SUM(1);
	START_SUM(2);
	START_SUM(3);
	bpf_loop(cpus, add_cpu, s, 0);
	return s->failed;
}

// Pages of files, of no file, and of shared memory.
static __always_inline __s64 resident(struct counter_sum *s)
{
	return not_negative(s->sum[0]) + not_negative(s->sum[1]) + not_negative(s->sum[3]);
}

// Every CPU has threads of its own, so that all CPUs are met.
static __always_inline void learn_cpu(struct task_struct *task)
{
	struct cfs_rq *queue = task->se.cfs_rq;
	__u64 offset = 0;
	struct rq *rq;
	__u32 cpu;

	if (!runqueues_offset || !queue)
		return;
	rq = queue->rq;
	if (!rq)
		return;
	cpu = rq->cpu;
	if (cpu >= MAX_CPUS || cpu_offsets[cpu])
		return;
	if (bpf_probe_read_kernel(&offset, sizeof(offset), (void *)((__u64)rq - runqueues_offset)) || !offset)
		return;
	cpu_offsets[cpu] = offset;
	cpus_known++;
	if (cpu >= cpus)
		cpus = cpu + 1;
}

#endif
