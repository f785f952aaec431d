package wire

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// closedBlocks is how many blocks of the log a figure is taken over. The open one is not compressed yet.
const closedBlocks = 10

// fastRows is how many rows simulate --fast makes, of all hosts, before it begins with the first again. A host's share is in a row.
// Live, the hosts come in turn: what is near in a block is another host's, of which less repeats.
const fastRows = 50_000

// BenchmarkWireLog writes snapshots into a log until it has so many closed blocks, and tells what a process costs in them and
// in the payloads. The figures are sizes: once is enough.
func BenchmarkWireLog(b *testing.B) {
	for _, name := range recordings {
		b.Run(name, func(b *testing.B) { fillLog(b, messages(b, name)) })
	}
	for _, hosts := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("simulate/hosts=%d", hosts), func(b *testing.B) { fillLog(b, fleet(b, hosts, 1)) })
	}
	for _, hosts := range []int{10, 100} { // a thousand come one by one then too
		b.Run(fmt.Sprintf("simulate-fast/hosts=%d", hosts), func(b *testing.B) { fillLog(b, fleet(b, hosts, fastRows/(hosts*rowsPerHost))) })
	}
}

func fillLog(b *testing.B, next func() *schema.Message) {
	for b.Loop() {
		dir := b.TempDir()
		l := openLog(b, dir)
		counts := []int{0} // processes in each message, by its sequence
		var payloads int
		for blocks := 0; blocks <= closedBlocks; {
			for range 200 {
				m := next()
				msg := &nats.Msg{Header: nats.Header{}}
				subject, payload, err := schema.EncodeMsg(m, msg.Header)
				must(b, err)
				msg.Subject, msg.Data = subject, payload
				counts, payloads = append(counts, processesIn(b, m)), payloads+len(payload)
				_, err = l.js.PublishMsgAsync(msg)
				must(b, err)
			}
			<-l.js.PublishAsyncComplete()
			blocks = len(blocksOf(b, dir))
		}
		l.close()
		files := blocksOf(b, dir)
		open := firstIn(b, files[len(files)-1])
		var size int64
		for _, f := range files[:len(files)-1] {
			info, err := os.Stat(f)
			must(b, err)
			size += info.Size()
		}
		b.ReportMetric(float64(size)/float64(sum(counts[:open])), "disk-B/process")
		b.ReportMetric(float64(payloads)/float64(sum(counts)), "payload-B/process")
		b.ReportMetric(float64(sum(counts))/float64(len(counts)-1), "processes/message")
	}
}

// log is the stream of snapshots in a server of its own, as a recorder has it.
type log struct {
	b  *testing.B
	s  *server.Server
	nc *nats.Conn
	js jetstream.JetStream
}

func openLog(b *testing.B, dir string) log {
	b.Helper()
	s, err := server.NewServer(&server.Options{ServerName: "bench", DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, MaxPayload: 8 << 20})
	must(b, err)
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		b.Fatal("the server does not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	must(b, err)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256))
	must(b, err)
	for _, cfg := range schema.Streams(schema.Policy{}.WithDefaults(), 1) {
		if cfg.Name == schema.StreamSnapshots {
			cfg.MaxAge, cfg.Duplicates = 0, time.Minute
			_, err := js.CreateStream(b.Context(), cfg)
			must(b, err)
		}
	}
	return log{b, s, nc, js}
}

func (l log) close() {
	l.nc.Close()
	l.s.Shutdown()
	l.s.WaitForShutdown()
}

// blocksOf are the files of a log's blocks, oldest first.
func blocksOf(b *testing.B, dir string) []string {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream/*/streams/*/msgs/*.blk"))
	must(b, err)
	number := func(file string) int {
		n, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".blk"))
		must(b, err)
		return n
	}
	slices.SortFunc(files, func(x, y string) int { return number(x) - number(y) })
	return files
}

// firstIn is the sequence of the first message of a block that is not compressed: behind its length, in the second eight
// bytes (server/filestore.go: writeMsgRecordLocked).
func firstIn(b *testing.B, file string) int {
	b.Helper()
	data, err := os.ReadFile(file)
	must(b, err)
	if len(data) < 12 || strings.HasPrefix(string(data), "cmp") {
		b.Fatalf("%s: the open block is empty or compressed", file)
	}
	return int(binary.LittleEndian.Uint64(data[4:]))
}

func sum(counts []int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
