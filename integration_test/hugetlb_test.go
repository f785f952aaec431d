package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const hugePages = "/proc/sys/vm/nr_hugepages"

// reserveHugePages reserves huge pages of 2 MiB for a test, beside those that are there.
func reserveHugePages(t *testing.T, pages int) {
	t.Helper()
	before, err := os.ReadFile(hugePages)
	had, _ := strconv.Atoi(strings.TrimSpace(string(before))) // 0 without the file
	if err == nil {
		err = os.WriteFile(hugePages, []byte(strconv.Itoa(had+pages)), 0)
	}
	if err != nil {
		t.Skipf("SKIPPED: no huge pages can be reserved here: %v", err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(hugePages, before, 0); err != nil {
			t.Error(err)
		}
	})
	if now, _ := os.ReadFile(hugePages); strings.TrimSpace(string(now)) != strconv.Itoa(had+pages) {
		t.Skipf("SKIPPED: the kernel reserves %s of %d huge pages", strings.TrimSpace(string(now)), had+pages)
	}
}

// takesMemory maps memory, in huge pages (0x40000, MAP_HUGETLB) or not, writes to all of it and keeps it for eight seconds: what a sample has of it may be five old.
const takesMemory = `import mmap, sys, time
m = mmap.mmap(-1, 48 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | int(sys.argv[1], 0))
for at in range(0, len(m), 4096): m[at] = 1
time.sleep(8)`

// TestHugePages_Told runs a job that has its memory in huge pages: the report has it, beside a peak of resident memory that does not. The
// control has as much memory in ordinary pages.
func TestHugePages_Told(t *testing.T) {
	long(t)
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: there is no python3 on this machine to map huge pages")
	}
	reserveHugePages(t, 24)
	dir := t.TempDir()
	recorder := start(t, "up", "--data", dir, "--interval", "200ms")
	recorder.awaitLine("In another terminal")
	for job, flag := range map[string]string{"huge": "0x40000", "control": "0"} {
		run(t, "run", "--data", dir, "--job", job, "--", python, "-c", takesMemory, flag)
	}
	recorder.stop()
	for job, huge := range map[string]float64{"huge": 48, "control": 0} {
		var got struct {
			Peak    float64 `json:"peak_rss_mb"`
			Samples struct {
				Hugetlb float64 `json:"peak_hugetlb_mb"`
				Largest float64 `json:"largest_with_hugetlb_mb"`
			}
		}
		text := run(t, "report", job, "--data", dir, "--json")
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.Samples.Hugetlb != huge || huge > 0 && (got.Peak > 40 || got.Samples.Largest < 48) || huge == 0 && got.Peak < 48 {
			t.Errorf("%s: got %+v, want %.0f MiB in huge pages", job, got, huge)
		}
		if told := strings.Contains(run(t, "report", job, "--data", dir), fmt.Sprintf("%.1f MiB in huge pages", huge)); told != (huge > 0) {
			t.Errorf("%s: the text tells of huge pages: %v\n%s", job, told, text[:min(len(text), 4000)])
		}
	}
}
