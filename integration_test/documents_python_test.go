package integration_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocuments_Python runs the sample of docs/jobs.md that declares a job with nats-py, with the key of a host.
func TestDocuments_Python(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("python3", "-c", "import nats, nkeys").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: python3 with nats-py and nkeys is missing: %v: %s", err, out)
	}
	var program string
	for _, b := range blocksOf("docs/jobs.md", readText(t, "../docs/jobs.md")) {
		if b.lang == "python" {
			program = strings.Join(b.text, "\n")
		}
	}
	dir := t.TempDir()
	recorder := record(t, proctape, dir, "--listen", "127.0.0.1:0")
	for sample, here := range map[string]string{"nats://127.0.0.1:4222": listening(t, recorder), "build07.nk": addHost(t, dir, "build07")} {
		if strings.Count(program, sample) != 1 {
			t.Fatalf("the sample does not hold %s once:\n%s", sample, program)
		}
		program = strings.Replace(program, sample, here, 1)
	}
	if out, err := exec.Command("python3", "-c", program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	await(t, "the job that Python declared", func() bool {
		return count(t, filepath.Join(dir, "monitor.db"),
			`SELECT count(*) FROM jobs WHERE job_id = 'nightly' AND host_id = (SELECT id FROM hosts WHERE name = 'build07')`) == 1
	})
	healthy(t, recorder)
}
