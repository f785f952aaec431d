package gpu

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// plant makes a sysfs of files.
func plant(t testing.TB, files map[string]string) string {
	t.Helper()
	sys := t.TempDir()
	for name, text := range files {
		path := filepath.Join(sys, "class/drm", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, path, text)
	}
	return sys
}

// A laptop with a screen on an AMD card, another maker's card, and two more AMD cards.
func machine() map[string]string {
	return map[string]string{
		"card0/device/gpu_busy_percent":           "37\n",
		"card0/device/mem_info_vram_used":         "1073741824\n",
		"card0/device/mem_info_vram_total":        "17163091968\n",
		"card0/device/hwmon/hwmon3/temp1_input":   "52750\n",
		"card0/device/hwmon/hwmon3/temp2_input":   "99000\n",
		"card0/device/power/runtime_status":       "active\n",
		"card0-DP-1/status":                       "connected\n",
		"card1/device/vendor":                     "0x8086\n",
		"card2/device/mem_info_vram_used":         "2048\n",
		"card2/device/mem_info_vram_total":        "4096\n",
		"card10/device/gpu_busy_percent":          "0\n",
		"card10/device/mem_info_vram_used":        "1024\n",
		"card10/device/mem_info_vram_total":       "1024\n",
		"card10/device/hwmon/hwmon11/temp1_input": "-1500\n",
		"renderD128/device/mem_info_vram_total":   "1\n",
		"version":                                 "drm 1.1.0 20060810\n",
	}
}

func gpus(readings []reading) []schema.GPU {
	var gpus []schema.GPU
	for _, r := range readings {
		gpus = append(gpus, r.gpu)
	}
	return gpus
}

func TestReadCards(t *testing.T) {
	want := []schema.GPU{
		known(0, 370, 1<<20, 16760832, 527),
		{Index: 1, MemoryUsed: schema.Some[int64](2), MemoryTotal: schema.Some[int64](4)}, // does not say how busy or how hot
		known(2, 0, 1, 1, -15),
	}
	if got := gpus(readCards(plant(t, machine()), time.Now)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReadCards_WhatIsNoNumberIsUnknown(t *testing.T) {
	for _, text := range []string{"", "\n", "n/a\n", "12 34\n", "101\n", "-1\n", "0x10\n", "1e1\n", "99999999999999999999\n", strings.Repeat("1", 5000)} {
		sys := plant(t, map[string]string{"card0/device/gpu_busy_percent": text, "card0/device/mem_info_vram_total": "1024"})
		want := []schema.GPU{{Index: 0, MemoryTotal: schema.Some[int64](1)}}
		if got := gpus(readCards(sys, time.Now)); !reflect.DeepEqual(got, want) {
			t.Errorf("%.40q: got %+v, want %+v", text, got, want)
		}
	}
}

// Reading a card that sleeps would wake it.
func TestReadCards_LeavesSleepingCardsAlone(t *testing.T) {
	sys := plant(t, map[string]string{"card0/device/mem_info_vram_total": "1024", "card0/device/gpu_busy_percent": "5",
		"card0/device/power/runtime_status": "suspended\n"})
	if got, want := gpus(readCards(sys, time.Now)), []schema.GPU{{Index: 0}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReadCards_NoSuchMachine(t *testing.T) {
	if got := readCards(filepath.Join(t.TempDir(), "sys"), time.Now); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
}

func TestReader_CardsOfBothMakers(t *testing.T) {
	r := startWith(t, Config{NvidiaSMI: fake(t, "ok"), Sys: plant(t, machine())})
	eventually(t, "five GPUs", func() bool { return len(r.Read(time.Now())) == 5 })
	for i, g := range r.Read(time.Now()) {
		if g.Index != i {
			t.Errorf("GPU %d has index %d", i, g.Index)
		}
	}
	if have, missing := r.Source(); have != "nvidia-smi, amd sysfs" || missing != "" {
		t.Errorf("source: got %q, %q", have, missing)
	}
	if got := r.Read(time.Now().Add(r.cfg.timing.stale + time.Minute)); len(got) != 5 || got[4].Utilization.Known {
		t.Errorf("a minute too late: got %+v, want five GPUs of which nothing is known", got)
	}
}

// The first card of AMD's keeps its index, whenever NVIDIA's are heard of.
func TestReader_IndexesDoNotMove(t *testing.T) {
	r := startWith(t, Config{NvidiaSMI: fake(t, "slow"), Sys: plant(t, machine())})
	eventually(t, "five GPUs", func() bool {
		got := r.Read(time.Now())
		if n := len(got); n > 2 && got[n-1].Index != 4 {
			t.Fatalf("got %+v, want AMD's last at index 4 whenever it is listed", got)
		}
		return len(got) == 5
	})
}

func TestReader_AMDAlone(t *testing.T) {
	r := startWith(t, Config{NvidiaSMI: filepath.Join(t.TempDir(), "nvidia-smi"), Sys: plant(t, machine())})
	eventually(t, "three GPUs", func() bool { return len(r.Read(time.Now())) == 3 })
	if got := r.Read(time.Now()); got[0] != known(0, 370, 1<<20, 16760832, 527) {
		t.Errorf("got %+v", got[0])
	}
	if have, missing := r.Source(); have != "amd sysfs" || !strings.HasPrefix(missing, "nvidia-smi: not installed") {
		t.Errorf("source: got %q, %q", have, missing)
	}
}

func BenchmarkReadCards(b *testing.B) {
	sys := plant(b, machine())
	for b.Loop() {
		readCards(sys, time.Now)
	}
}
