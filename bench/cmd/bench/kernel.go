package main

import (
	"errors"
	"fmt"
)

// kernelSamplers measures the sampler that reads processes by programs in the kernel, each time beside top -b.
func kernelSamplers(b *bench) error {
	return errors.Join(kernelSampling(b, "sleepers", 1000, 1./15), kernelSampling(b, "busy", 1000, 1./15), kernelSampling(b, "sleepers", 10000, 1./10))
}

// kernelSampling measures one of them. Its cost is at most a share of what top -b costs in the same round.
func kernelSampling(b *bench, load string, processes int, most float64) error {
	s, err := startSampler(b, load, processes, "--bpf", "on")
	if err != nil {
		return err
	}
	var own, top, share []float64
	for range b.rounds {
		cost, err := s.cost()
		if err != nil {
			return err
		}
		topCost, err := toolCost(b, tools[0])
		if err != nil {
			return err
		}
		own = append(own, cost)
		if topCost > 0 {
			top = append(top, 1000*topCost/float64(s.processes))
			share = append(share, cost/top[len(top)-1])
		}
	}
	memory, err := s.stopSampler()
	if err != nil {
		return err
	}
	state := map[string]string{"sleepers": "sleeping", "busy": "busy"}[load]
	b.add(fmt.Sprintf("sample by programs in the kernel of %s %s processes", thousands(int64(processes)), state), "CPU ms/1000", atMost(2), own...)
	b.add("… at most in memory", "MiB", noBar, memory)
	if len(top) > 0 {
		b.add("… top -b", "CPU ms/1000", noBar, top...)
		b.add("… of top -b", "×", atMost(most), share...)
	}
	return s.load.stop()
}
