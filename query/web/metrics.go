package web

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// What a scrape may take and give.
const (
	scrapeTime = 10 * time.Second
	maxJobs    = 200 // those that were seen last, within jobsAge
	jobsAge    = time.Hour
)

// collector reads the database when Prometheus asks.
type collector struct {
	s  *Server
	to chan<- prometheus.Metric // of the scrape that it answers
}

// Describe tells which metrics there are.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range slices.Concat(families, groupFamilies, []family{commitSeconds, ackSeconds}) {
		to <- f.desc
	}
}

// Collect reads the metrics. What cannot be read fails the scrape: a dashboard that shows half of them would mislead.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c.to = to
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	set := func(f family, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(f.desc, f.kind, v, labels...)
	}
	for _, read := range []func(context.Context, setter) error{c.balances, c.progress, c.recorder, c.hosts, c.jobs} {
		if err := read(ctx, set); err != nil {
			c.s.cfg.Logger.Error("a scrape could not be answered", "error", err)
			to <- prometheus.NewInvalidMetric(itemsTotal.desc, err)
			return
		}
	}
}

func (c collector) balances(ctx context.Context, set setter) error {
	hosts, err := query.Hosts(ctx, c.s.cfg.DB)
	for _, h := range hosts {
		for fate, n := range map[string]int64{"produced": h.Produced, "stored": h.Stored, "quarantined": h.Quarantined, "missing": h.Missing, "not_come": h.NotCome, "duplicate": h.Duplicates} {
			set(itemsTotal, float64(n), h.Host, fate)
		}
		set(lastMessage, h.LastTime, h.Host)
	}
	return err
}

func (c collector) progress(ctx context.Context, set setter) error {
	checkpoints, err := query.Checkpoints(ctx, c.s.cfg.DB)
	for _, p := range checkpoints {
		set(checkpointSeq, float64(p.Seq), p.Stream)
		set(checkpointTime, p.Time, p.Stream)
	}
	for name, suffix := range map[string]string{"database": "", "wal": "-wal"} {
		if info, err := os.Stat(c.s.cfg.DB.Path() + suffix); err == nil { // a database that nobody writes has no log
			set(databaseBytes, float64(info.Size()), name)
		}
	}
	return err
}

func (c collector) recorder(ctx context.Context, set setter) error {
	if err := setRecord(ctx, c.s.cfg.DB, set); err != nil || c.s.cfg.Status == nil {
		return err
	}
	status, err := c.s.statusNow(ctx)
	if err == nil {
		setStatus(status, set)
		for _, h := range histograms(status) {
			c.to <- h
		}
	}
	return err
}

func (c collector) hosts(ctx context.Context, set setter) error {
	now := float64(c.s.cfg.Now().UnixNano()) / 1e9
	hosts, err := query.ProcessesAt(ctx, c.s.cfg.DB, now, query.Filter{})
	if err == nil {
		c.s.names.setNames(hosts, set)
	}
	for _, h := range hosts {
		set(hostAge, h.Old, h.Host)
		set(hostProcesses, float64(len(h.Processes)), h.Host)
		set(hostZombies, float64(h.Zombies), h.Host)
		set(hostCPUs, float64(h.CPUs), h.Host)
		set(hostLoad1, h.Load1, h.Host)
		set(hostMemory, h.MemTotal*mib, h.Host, "total")
		set(hostMemory, h.MemAvail*mib, h.Host, "available")
		if p := h.Pressure; p != nil {
			for of, v := range map[[2]string]*float64{{"cpu", "some"}: p.CPUSome, {"memory", "some"}: p.MemorySome, {"memory", "full"}: p.MemoryFull,
				{"io", "some"}: p.IOSome, {"io", "full"}: p.IOFull} {
				if v != nil {
					set(hostPressure, *v/100, h.Host, of[0], of[1])
				}
			}
		}
		for _, g := range h.GPUs {
			setGPU(set, h.Host, &g)
		}
	}
	return err
}

// setGPU sets what is known of a GPU.
func setGPU(set setter, host string, g *query.GPU) {
	index := strconv.Itoa(g.Index)
	if g.Utilization != nil {
		set(gpuUse, *g.Utilization/100, host, index)
	}
	if g.MemoryUsed != nil {
		set(gpuMemory, *g.MemoryUsed*mib, host, index)
	}
}

func (c collector) jobs(ctx context.Context, set setter) error {
	since := float64(c.s.cfg.Now().Add(-jobsAge).UnixNano()) / 1e9
	jobs, err := query.Jobs(ctx, c.s.cfg.DB, query.Range{Since: since, Limit: maxJobs})
	for _, j := range jobs {
		scope := j.Host
		if j.Fleet {
			scope = schema.Fleet // which no host is called
		}
		set(jobCPU, j.CPUSeconds, j.JobID, scope)
		set(jobStarts, float64(j.Spawns), j.JobID, scope)
		set(jobOOMs, float64(j.OOMs), j.JobID, scope)
		if j.PeakRSS != nil {
			set(jobPeak, *j.PeakRSS*mib, j.JobID, scope)
		}
	}
	return err
}

// metrics is the handler of what Prometheus asks.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{s: s}, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: scrapeTime, DisableCompression: true})
}
