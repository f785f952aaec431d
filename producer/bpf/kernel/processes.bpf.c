//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Writes one record for each process of the machine when it is read: an iterator over tasks.
#include "kernel.h"
#include "memory.h"
#include "network.h"

char LICENSE_OF_PROGRAMS[] SEC("license") = "Dual MIT/GPL";

// What a record says that it knows.
#define KNOWN_MEMORY (1 << 0)
#define KNOWN_FDS (1 << 1)
#define KNOWN_IO (1 << 2)
#define KNOWN_RUN_DELAY (1 << 3)
#define KNOWN_FD_LIMIT (1 << 4)
#define KNOWN_NETWORK (1 << 5)

// Of a process with so many descriptors the limit is told (ManyFDs), and so much is one of a process without any (MaxFDs of schema/metric).
#define MANY_FDS 256
#define MAX_FDS (1U << 31)

// A process at the moment read_at. Sizes are pages, times nanoseconds.
struct process_record {
	__u64 read_at; // CLOCK_BOOTTIME
	__u64 start;   // CLOCK_BOOTTIME
	__u64 runtime; // of all threads, ended ones included
	__u64 min_flt, maj_flt;
	__u64 read_bytes, write_bytes, cancelled_bytes;
	__u64 network_sent, network_received;
	__u64 nvcsw, nivcsw; // of the thread living
	__u64 run_delay;     // of the thread living
	__u64 total_vm;
	__s64 rss, swap, hugetlb;
	__u64 program; // another after it has executed another program
	__u64 groups;  // another after it has moved to another control group
	__u32 pid, ppid;
	__u32 living; // the first thread, or one that lives although the first has ended, in the pid namespace of pid
	__u32 host_pid;
	__s32 threads;
	__u32 state;  // of the thread living: the kernel's __state
	__u32 ending; // and its exit_state
	__u32 flags;  // of the first thread
	__u32 euid;
	__u32 fds;
	__u32 known;
	__u32 fd_limit;
	char comm[16];
};

// The record that is being made: a stack has no place for it. One program reads at a time.
struct process_record record;

// Set by it before each pass.
__u32 kernel_threads; // write records of them too
__u32 network_counts; // network is attached
__u64 ran_since;      // memory and descriptors of those alone that got a processor since, on the clock of clock_of_scheduler, or have one; 0: of all

// Set here by learn, for processes.
__u32 ns_level;
__u64 ns_address;
// When the reader last got a processor before the last pass, on the scheduler's clock.
__u64 clock_of_scheduler;

static __always_inline __u32 number_in_namespace(struct pid *pid)
{
	struct upid upid;

	if (!pid || pid->level < ns_level)
		return 0;
	if (bpf_probe_read_kernel(&upid, sizeof(upid), (void *)&pid->numbers + ns_level * sizeof(upid)))
		return 0;
	return (__u64)upid.ns == ns_address ? upid.nr : 0;
}

static __always_inline void add_memory(struct process_record *r, struct mm_struct *mm)
{
	struct counter_sum s = {};

	if (!exact_memory)
		return;
	r->known |= KNOWN_MEMORY;
	if (!mm)
		return;
	if (sum_memory(&s, mm))
		r->known &= ~KNOWN_MEMORY;
	r->total_vm = mm->total_vm;
	r->rss = resident(&s);
	r->swap = not_negative(s.sum[2]);
	if (bpf_core_field_exists(mm->hugetlb_usage))
		r->hugetlb = mm->hugetlb_usage.counter;
}

#define BLOCK_WORDS 8
#define BLOCK_BITS (BLOCK_WORDS * 64)

struct bits {
	__u64 words; // address
	__u32 max;   // bits
	__u32 set;
	__u32 failed;
};

static long add_block(__u32 block, struct bits *b)
{
	__u64 words[BLOCK_WORDS] = {};
	__u32 left = b->max - block * BLOCK_BITS;
	__u32 bytes = left >= BLOCK_BITS ? BLOCK_WORDS * 8 : left / 8;

	asm volatile("%0 &= 0xff" : "+r"(bytes)); // the verifier has to know that it is none too large
	if (bytes > sizeof(words))
		return 1;
	if (bpf_probe_read_kernel(words, bytes, (void *)(b->words + block * BLOCK_WORDS * 8))) {
		b->failed = 1;
		return 1;
	}
	if (bytes <= 8) {
		b->set += __builtin_popcountll(words[0]);
		return 0;
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		b->set += __builtin_popcountll(words[i]);
	return 0;
}

static __always_inline void add_descriptors(struct process_record *r, struct files_struct *files)
{
	struct bits b = {};
	struct fdtable *fdt;

	r->known |= KNOWN_FDS;
	if (!files)
		return;
	fdt = files->fdt;
	b.words = (__u64)fdt->open_fds;
	b.max = fdt->max_fds;
	bpf_loop((b.max + BLOCK_BITS - 1) / BLOCK_BITS, add_block, &b, 0);
	r->fds = b.set;
	if (b.failed)
		r->known &= ~KNOWN_FDS;
}

// How many descriptors a process with many may have.
static __always_inline void add_descriptor_limit(struct process_record *r, struct signal_struct *s)
{
	__u64 limit;

	if (!(r->known & KNOWN_FDS) || r->fds < MANY_FDS || !bpf_core_field_exists(s->rlim))
		return;
	limit = s->rlim[LIMIT_OF_FILES].rlim_cur;
	r->fd_limit = limit < MAX_FDS ? limit : MAX_FDS;
	r->known |= KNOWN_FD_LIMIT;
}

// When a thread last got a processor, on the scheduler's clock; 0 where the kernel does not count that.
static __always_inline __u64 last_arrival(struct task_struct *t)
{
	if (!bpf_core_field_exists(t->sched_info.last_arrival))
		return 0;
	return t->sched_info.last_arrival;
}

// What all threads of a process have together, and which of them lives.
struct group {
	int ran; // since ran_since, or it runs now
	struct mm_struct *mm;
	struct files_struct *files;
};

static __always_inline void add_thread(struct process_record *r, struct group *g, struct task_struct *t)
{
	r->runtime += t->se.sum_exec_runtime;
	r->min_flt += t->min_flt;
	r->maj_flt += t->maj_flt;
	if (bpf_core_field_exists(t->ioac.read_bytes)) {
		r->read_bytes += t->ioac.read_bytes;
		r->write_bytes += t->ioac.write_bytes;
		r->cancelled_bytes += t->ioac.cancelled_write_bytes;
	}
	if (!t->__state || last_arrival(t) >= ran_since)
		g->ran = 1;
}

// What is said of one thread: of the first, unless that has ended and another lives.
static __always_inline void set_living(struct process_record *r, struct group *g, struct task_struct *t)
{
	r->living = ns_level ? number_in_namespace(t->thread_pid) : t->pid;
	r->state = t->__state;
	r->ending = t->exit_state;
	r->nvcsw = t->nvcsw;
	r->nivcsw = t->nivcsw;
	if (bpf_core_field_exists(t->sched_info.run_delay)) {
		r->run_delay = t->sched_info.run_delay;
		r->known |= KNOWN_RUN_DELAY;
	}
	g->mm = t->mm;
	g->files = t->files;
}

static __always_inline void add_signal(struct process_record *r, struct signal_struct *s)
{
	r->threads = s->nr_threads;
	r->runtime = s->sum_sched_runtime;
	r->min_flt = s->min_flt;
	r->maj_flt = s->maj_flt;
	if (bpf_core_field_exists(s->ioac.read_bytes)) {
		r->known |= KNOWN_IO;
		r->read_bytes = s->ioac.read_bytes;
		r->write_bytes = s->ioac.write_bytes;
		r->cancelled_bytes = s->ioac.cancelled_write_bytes;
	}
}

static __always_inline void add_threads(struct process_record *r, struct group *g, struct task_struct *leader)
{
	struct bpf_iter_task it;
	struct task_struct *t;
	int found = !leader->exit_state;

	if (r->threads == 1) {
		add_thread(r, g, leader);
		return;
	}
	bpf_iter_task_new(&it, leader, THREADS_OF_PROCESS);
	while ((t = bpf_iter_task_next(&it))) {
		add_thread(r, g, t);
		if (!found && !t->exit_state) {
			set_living(r, g, t);
			found = 1;
		}
	}
	bpf_iter_task_destroy(&it);
}

static __always_inline void set_identity(struct process_record *r, struct task_struct *task)
{
	r->read_at = bpf_ktime_get_boot_ns();
	r->start = task->start_boottime;
	r->program = task->self_exec_id;
	r->groups = (__u64)task->cgroups;
	r->host_pid = task->tgid;
	r->flags = task->flags;
	r->euid = task->real_cred->euid.val;
	if (ns_level) {
		r->pid = number_in_namespace(task->thread_pid);
		r->ppid = number_in_namespace(task->real_parent->group_leader->thread_pid);
	} else {
		r->pid = task->tgid;
		r->ppid = task->real_parent->tgid;
	}
	__builtin_memcpy(r->comm, task->comm, sizeof(r->comm));
}

static __always_inline void add_network(struct process_record *r, struct task_struct *leader)
{
	struct network_sum *sum;

	if (!network_counts)
		return;
	r->known |= KNOWN_NETWORK;
	sum = bpf_task_storage_get(&network_sums, leader, NULL, 0);
	if (!sum)
		return;
	r->network_sent = sum->sent;
	r->network_received = sum->received;
}

SEC("iter/task")
int processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_record *r = &record;
	struct group g = {};

	if (!ctx->meta->seq_num)
		clock_of_scheduler = last_arrival(bpf_get_current_task_btf());
	if (!task || task->pid != task->tgid)
		return 0;
	if (!kernel_threads && task->flags & KERNEL_THREAD)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	set_identity(r, task);
	add_signal(r, task->signal);
	set_living(r, &g, task);
	add_threads(r, &g, task);
	add_network(r, task);
	if (g.ran) {
		add_memory(r, g.mm);
		add_descriptors(r, g.files);
		add_descriptor_limit(r, task->signal);
	}
	bpf_seq_write(ctx->meta->seq, r, sizeof(*r));
	return 0;
}

// Finds out what processes needs to know of this machine and of its reader. It writes nothing.
SEC("iter/task")
int learn(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *reader = bpf_get_current_task_btf();
	struct pid *pid = reader->thread_pid;
	struct upid upid;

	if (!task) { // once, at the end
		ns_level = pid->level;
		if (!bpf_probe_read_kernel(&upid, sizeof(upid), (void *)&pid->numbers + ns_level * sizeof(upid)))
			ns_address = (__u64)upid.ns;
		return 0;
	}
	learn_cpu(task);
	return 0;
}
