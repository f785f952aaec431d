//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What the programs use of the kernel's structures. Only the members that are read are declared: where they lie is found
// out when a program is loaded, of the type information of the kernel that runs (CO-RE).
#ifndef PROCTAPE_KERNEL_H
#define PROCTAPE_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	long counter;
} atomic_long_t;

typedef struct {
	int counter;
} atomic_t;

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[0];
};

struct cred {
	kuid_t uid;
	kuid_t euid;
};

struct percpu_counter {
	__s64 count;
	__s32 *counters;
};

struct mm_struct {
	unsigned long total_vm;
	unsigned long hiwater_rss;
	unsigned long arg_start;
	unsigned long arg_end;
	struct percpu_counter rss_stat[4];
	atomic_long_t hugetlb_usage;
};

struct fdtable {
	unsigned int max_fds;
	unsigned long *open_fds;
};

struct files_struct {
	struct fdtable *fdt;
};

struct rq {
	int cpu;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	__u64 sum_exec_runtime;
	struct cfs_rq *cfs_rq;
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival;
};

struct task_io_accounting {
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 cancelled_write_bytes;
};

struct rlimit {
	unsigned long rlim_cur;
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	__u64 utime;
	__u64 stime;
	unsigned long min_flt;
	unsigned long maj_flt;
	unsigned long maxrss;
	unsigned long long sum_sched_runtime;
	struct task_io_accounting ioac;
	struct rlimit rlim[16]; // RLIM_NLIMITS
};

struct css_set;

struct thread_info {
	unsigned long flags;
	__u32 status; // of x86 alone
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	int exit_state;
	int exit_code;
	int pid;
	int tgid;
	__u64 start_boottime;
	__u64 self_exec_id;
	__u64 utime;
	__u64 stime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	char comm[16];
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_io_accounting ioac;
	struct mm_struct *mm;
	struct files_struct *files;
	struct signal_struct *signal;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	const struct cred *real_cred;
	struct css_set *cgroups;
};

struct sock_common {
	unsigned short skc_family;
};

struct sock {
	struct sock_common __sk_common;
};

struct seq_file;
struct kernel_siginfo;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

// PF_KTHREAD of the kernel's include/linux/sched.h.
#define KERNEL_THREAD 0x00200000

// RLIMIT_NOFILE of the kernel's include/uapi/asm-generic/resource.h.
#define LIMIT_OF_FILES 7

// The threads of a process, one after the other: kernel functions since Linux 6.7.
struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;

// Of the process that the given thread is of. 1 would be those of the whole system.
#define THREADS_OF_PROCESS 2

#endif
