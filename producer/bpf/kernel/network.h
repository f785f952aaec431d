//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What each process sent and received over IP, which network counts and processes tells.
#ifndef PROCTAPE_NETWORK_H
#define PROCTAPE_NETWORK_H

// Bytes since network counts, or since the process began.
struct network_sum {
	__u64 sent;
	__u64 received;
};

// Of the first thread, which lives as long as any of its process. The kernel drops the sum with it.
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct network_sum);
} network_sums SEC(".maps");

#endif
