//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Counts what processes send and receive over IP sockets.
#include "kernel.h"
#include "network.h"
#include <bpf/bpf_tracing.h>

char LICENSE_OF_PROGRAMS[] SEC("license") = "Dual MIT/GPL";

// AF_INET and AF_INET6 of the kernel's include/linux/socket.h.
#define FAMILY_IP 2
#define FAMILY_IP6 10

// MSG_PEEK of the same file: the bytes are received once more.
#define ONLY_LOOKED_AT 2

static __always_inline struct network_sum *sum_of(struct sock *sk, int bytes)
{
	__u16 family = sk->__sk_common.skc_family;

	if (bytes <= 0 || (family != FAMILY_IP && family != FAMILY_IP6)) // an error, or not the network
		return NULL;
	return bpf_task_storage_get(&network_sums, bpf_get_current_task_btf()->group_leader, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sent, struct sock *sk, int bytes, int flags)
{
	struct network_sum *sum = sum_of(sk, bytes);

	if (sum)
		__sync_fetch_and_add(&sum->sent, bytes);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(received, struct sock *sk, int bytes, int flags)
{
	struct network_sum *sum;

	if (flags & ONLY_LOOKED_AT)
		return 0;
	sum = sum_of(sk, bytes);
	if (sum)
		__sync_fetch_and_add(&sum->received, bytes);
	return 0;
}
