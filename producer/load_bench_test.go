package producer

import (
	"bufio"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/proctape/proctape/embedded-nats/logtest"
)

// BenchmarkProducer_Events measures what a whole producer, as a process of its own, costs for each process that starts
// and ends on the machine: user and system time, also in proportion to the time that passed, and what it costs at rest.
func BenchmarkProducer_Events(b *testing.B) {
	loads := map[string]string{
		"at rest":                       "",
		"300 programs a second":         "3000 /bin/true 3333",
		"programs as fast as possible":  "10000 /bin/true 0",
		"processes as fast as possible": "50000 - 0",
	}
	for name, load := range loads {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			logtest.ServeAt(b, dir)
			sampler := startCommandChild(b, "produce", dirKey+"="+dir)
			forker := startCommandChild(b, "fork")
			var n int
			fmt.Sscan(load, &n)
			for b.Loop() {
				began := time.Now()
				before, made := sampler.usage(b)
				if load == "" {
					time.Sleep(10 * time.Second)
				} else {
					forker.ask(b, load)
				}
				took := time.Since(began)
				for deadline := time.Now().Add(testTimeout); ; time.Sleep(100 * time.Millisecond) { // until all is told
					after, produced := sampler.usage(b)
					if produced-made >= 2*n || time.Now().After(deadline) {
						b.ReportMetric(100*(after-before).Seconds()/time.Since(began).Seconds(), "%core")
						b.ReportMetric(float64(n)/took.Seconds(), "processes/s")
						if n > 0 {
							b.ReportMetric(float64((after-before).Microseconds())/float64(n), "cpu-us/process")
							b.ReportMetric(float64(produced-made-2*n), "others")
						}
						break
					}
				}
			}
		})
	}
}

// commandChild is a child that answers each line with a line.
type commandChild struct {
	*child
	answers *bufio.Reader
}

func startCommandChild(t testing.TB, role string, env ...string) *commandChild {
	t.Helper()
	c, answers := startChildReading(t, role, env)
	return &commandChild{c, answers}
}

func (c *commandChild) ask(t testing.TB, line string) string {
	t.Helper()
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := c.answers.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// usage is the CPU that a sampler has used, and how many items it has made.
func (c *commandChild) usage(t testing.TB) (cpu time.Duration, produced int) {
	t.Helper()
	if _, err := fmt.Sscan(c.ask(t, "usage"), &cpu, &produced); err != nil {
		t.Fatal(err)
	}
	return cpu, produced
}
