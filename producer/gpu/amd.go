package gpu

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proctape/proctape/schema"
)

const maxCards = 64 // AMD cards that are read, at most

// drmDir is where the kernel lists the graphics cards.
func drmDir(sys string) string { return filepath.Join(sys, "class/drm") }

// pollCards reads the AMD cards at every interval until ctx ends.
func (r *Reader) pollCards(ctx context.Context) {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		cards := readCards(r.cfg.Sys, time.Now)
		r.mu.Lock()
		r.cards = cards
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// readCards reads the AMD cards. They are numbered from 0 in the order of their names.
func readCards(sys string, now func() time.Time) []reading {
	var cards []reading
	for _, number := range listCards(drmDir(sys)) {
		card, ok := readCard(filepath.Join(drmDir(sys), fmt.Sprintf("card%d", number), "device"))
		if !ok {
			continue
		}
		card.Index = len(cards)
		cards = append(cards, reading{card, now()})
		if len(cards) == maxCards {
			break
		}
	}
	return cards
}

// listCards returns the numbers of the cards in dir, which also holds their connectors (card0-DP-1) and other things.
func listCards(dir string) []int {
	entries, err := os.ReadDir(dir)
	if err != nil { // a machine without graphics has no such directory
		return nil
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), "card")
		if n, err := strconv.Atoi(name); ok && err == nil && name == strconv.Itoa(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// readCard reads the device directory of a card, Linux Documentation/gpu/amdgpu/thermal.rst and driver-misc.rst. It
// reports whether the amdgpu driver drives it. A card that sleeps is left alone, as reading would wake it.
func readCard(dir string) (schema.GPU, bool) {
	if _, err := os.Stat(filepath.Join(dir, "mem_info_vram_total")); err != nil {
		return schema.GPU{}, false
	}
	if asleep(dir) {
		return schema.GPU{}, true
	}
	const most = 1 << 53 // bytes; any number would do
	g := schema.GPU{
		Utilization: readNumber(filepath.Join(dir, "gpu_busy_percent"), 0, 100),
		MemoryUsed:  readNumber(filepath.Join(dir, "mem_info_vram_used"), 0, most),
		MemoryTotal: readNumber(filepath.Join(dir, "mem_info_vram_total"), 0, most),
	}
	if sensors, _ := filepath.Glob(filepath.Join(dir, "hwmon/hwmon*/temp1_input")); len(sensors) > 0 {
		g.Temperature = readNumber(sensors[0], -100_000, 1_000_000)
	}
	g.Utilization.V *= 10  // from percent
	g.MemoryUsed.V /= 1024 // from bytes
	g.MemoryTotal.V /= 1024
	g.Temperature.V /= 100 // from thousandths of a degree
	return g, true
}

// asleep reports whether the kernel has switched a device off for want of work, Linux
// Documentation/ABI/testing/sysfs-devices-power.
func asleep(dir string) bool {
	status, err := os.ReadFile(filepath.Join(dir, "power/runtime_status"))
	return err == nil && strings.TrimSpace(string(status)) == "suspended"
}

// readNumber reads a file that holds one whole number. Whatever else it holds, and any failure, is unknown: drivers
// have files for what their hardware cannot tell.
func readNumber(path string, least, most int64) schema.Opt[int64] {
	data, err := os.ReadFile(path)
	if err != nil {
		return schema.Opt[int64]{}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n < least || n > most {
		return schema.Opt[int64]{}
	}
	return schema.Some(n)
}
