package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// program is what a process runs, and how it behaves.
type program struct {
	command string // with {n}, {day}, {id}, {port}, {user} and {src} for what differs from process to process
	uid     int64
	rss     int64 // KiB, about
	threads int
	fds     int
	habit   habit
	io      int64 // KiB that it reads, and writes, at most in an interval in which it does something
}

// habit is how a process uses the CPU: in one interval of so many it does something, and uses low to high
// thousandths of a core.
type habit struct{ every, low, high uint64 }

var (
	asleep   = habit{200, 1, 4}
	idle     = habit{40, 1, 8}
	light    = habit{6, 2, 30}
	steady   = habit{2, 30, 250}
	busy     = habit{5, 300, 1000}
	parallel = habit{2, 1200, 3500} // needs four threads
)

// mean is what the habit comes to, in thousandths of a core.
func (h habit) mean() uint64 { return (h.low + h.high) / 2 / h.every }

// line is the command line of one more process that runs the program.
func (p *program) line(r *rand.Rand) string {
	if strings.IndexByte(p.command, '{') < 0 {
		return p.command
	}
	var b strings.Builder
	rest := p.command
	for {
		text, after, found := strings.Cut(rest, "{")
		b.WriteString(text)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(after, "}")
		b.WriteString(fill(name, r))
		rest = after
	}
}

func fill(name string, r *rand.Rand) string {
	switch name {
	case "n":
		return fmt.Sprint(1 + r.IntN(64))
	case "id":
		return fmt.Sprintf("%08x", r.Uint32())
	case "day":
		return fmt.Sprintf("%02d", 1+r.IntN(30))
	case "port":
		return fmt.Sprint(32768 + r.IntN(28232))
	case "user":
		return pick(r, users)
	case "src":
		return pick(r, sources)
	}
	return "{" + name + "}"
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

var (
	users   = []string{"ada", "ben", "chen", "dana", "emre", "fatima", "grace", "hugo", "ines", "jonas"}
	sources = []string{"alloc", "buffer", "cache", "codec", "config", "dispatch", "encode", "engine", "format", "graph",
		"handler", "index", "journal", "kernel", "layout", "lexer", "matrix", "network", "optimizer", "parser", "planner",
		"queue", "reader", "render", "resolver", "router", "schedule", "session", "storage", "table", "token", "transport",
		"tree", "vector", "worker", "writer"}
)

// The first two processes of every host.
var (
	initProgram    = program{"/usr/lib/systemd/systemd --switched-root --system --deserialize=31", 0, 14 << 10, 1, 180, idle, 0}
	samplerProgram = program{"/usr/bin/proctape sample --server nats://log.example.net:4222 --interval 5s", 0, 22 << 10, 8, 230, light, 4}
)

// service is a program that init starts, and what it starts in turn.
type service struct {
	cgroup  string
	main    program
	workers []program
	most    int // workers
}

// daemons are what each host has once, in this order, as far as there is room.
var daemons = []service{
	{"/system.slice/systemd-journald.service", program{"/usr/lib/systemd/systemd-journald", 0, 48 << 10, 1, 40, light, 64}, nil, 0},
	{"/system.slice/systemd-udevd.service", program{"/usr/lib/systemd/systemd-udevd", 0, 9 << 10, 1, 24, asleep, 0}, nil, 0},
	{"/system.slice/ssh.service", program{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", 0, 9 << 10, 1, 7, asleep, 0}, nil, 0},
	{"/system.slice/dbus.service", program{"/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only", 101, 5 << 10, 1, 30, idle, 0}, nil, 0},
	{"/system.slice/systemd-logind.service", program{"/usr/lib/systemd/systemd-logind", 0, 8 << 10, 1, 22, asleep, 0}, nil, 0},
	{"/system.slice/cron.service", program{"/usr/sbin/cron -f -P", 0, 3 << 10, 1, 6, asleep, 0}, nil, 0},
	{"/system.slice/chrony.service", program{"/usr/sbin/chronyd -F 1", 104, 4 << 10, 1, 10, idle, 0}, nil, 0},
	{"/system.slice/rsyslog.service", program{"/usr/sbin/rsyslogd -n -iNONE", 102, 6 << 10, 4, 12, idle, 32}, nil, 0},
	{"/system.slice/prometheus-node-exporter.service", program{"/usr/bin/prometheus-node-exporter --collector.systemd", 105, 24 << 10, 9, 12, light, 0}, nil, 0},
}

// services are what a host has any number of.
var services = []service{
	{"/system.slice/nginx.service", program{"nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", 0, 12 << 10, 1, 14, asleep, 0},
		[]program{{"nginx: worker process", 33, 18 << 10, 1, 96, light, 48}, {"nginx: cache manager process", 33, 14 << 10, 1, 20, idle, 8}}, 8},
	{"/system.slice/postgresql@16-main.service", program{"/usr/lib/postgresql/16/bin/postgres -D /var/lib/postgresql/16/main -c config_file=/etc/postgresql/16/main/postgresql.conf", 110, 30 << 10, 1, 60, idle, 16},
		[]program{{"postgres: 16/main: walwriter", 110, 12 << 10, 1, 16, light, 256}, {"postgres: 16/main: checkpointer", 110, 90 << 10, 1, 18, idle, 2048},
			{"postgres: {user} orders 10.20.{n}.{n}({port}) idle", 110, 26 << 10, 1, 40, idle, 32},
			{"postgres: {user} billing 10.20.{n}.{n}({port}) SELECT", 110, 60 << 10, 1, 42, steady, 1024}}, 24},
	{"/system.slice/php8.2-fpm.service", program{"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)", 0, 28 << 10, 1, 12, asleep, 0},
		[]program{{"php-fpm: pool www", 33, 46 << 10, 1, 18, light, 16}}, 16},
	{"/system.slice/web.service", program{"gunicorn: master [shop.wsgi]", 1001, 40 << 10, 1, 12, idle, 0},
		[]program{{"gunicorn: worker [shop.wsgi]", 1001, 110 << 10, 2, 24, light, 24}}, 12},
	{"/system.slice/redis-server.service", program{"/usr/bin/redis-server 127.0.0.1:6379", 112, 140 << 10, 5, 120, light, 128}, nil, 0},
	{"/system.slice/kafka.service", program{"java -Xmx4G -Xms4G -server -XX:+UseG1GC -cp /opt/kafka/libs/* kafka.Kafka /opt/kafka/config/server-{n}.properties", 1003, 3 << 20, 90, 700, steady, 8192}, nil, 0},
	{"/system.slice/docker.service", program{"/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock", 0, 90 << 10, 24, 60, light, 16},
		[]program{{"/usr/bin/containerd-shim-runc-v2 -namespace moby -id {id}{id}{id}{id}{id}{id}{id}{id} -address /run/containerd/containerd.sock", 0, 14 << 10, 11, 12, idle, 0},
			{"node /srv/app-{n}/dist/server.js --port {port} --workers 1", 1000, 130 << 10, 11, 34, light, 16},
			{"/app/api --listen :{port} --config /etc/api/{src}.yaml", 1000, 60 << 10, 12, 40, light, 8}}, 10},
	{"/system.slice/celery.service", program{"/srv/shop/venv/bin/python -m celery -A shop worker --loglevel INFO --concurrency 8", 1001, 96 << 10, 1, 22, idle, 0},
		[]program{{"celeryd: celery@shop:ForkPoolWorker-{n}", 1001, 102 << 10, 1, 20, light, 64}}, 8},
	{"/user.slice/user-1000.slice/session-1.scope", program{"sshd-session: {user}@pts/{n}", 1000, 8 << 10, 1, 10, asleep, 0},
		[]program{{"-bash", 1000, 6 << 10, 1, 4, asleep, 0}, {"vim src/{src}.c", 1000, 18 << 10, 1, 6, idle, 8},
			{"tmux: server", 1000, 9 << 10, 1, 14, idle, 0}, {"less +F /var/log/{src}.log", 1000, 3 << 10, 1, 5, idle, 0},
			{"tail -F /var/log/app/{src}-{n}.log", 1000, 2 << 10, 1, 4, idle, 0}, {"git fetch --prune origin", 1000, 12 << 10, 1, 8, light, 128}}, 6},
	{"/system.slice/cron.service", program{"/usr/sbin/CRON -f -P", 0, 4 << 10, 1, 8, asleep, 0},
		[]program{{"/bin/sh -c /usr/local/bin/rotate-{src} --keep {n}", 0, 2 << 10, 1, 3, idle, 0}, {"rsync -a --delete /srv/{src}/ backup{n}:/srv/{src}/", 0, 20 << 10, 1, 6, steady, 4096}}, 3},
}

// jobKind is a kind of job: what holds it together, what runs one step, and what a step starts again and again.
type jobKind struct {
	name    string
	root    program
	step    program
	workers []program
}

var jobKinds = []jobKind{
	{"build", program{"/bin/bash -e /srv/ci/build.sh --target release --id {id}", 1002, 4 << 10, 1, 6, asleep, 0},
		program{"make -j16 -C /srv/ci/work/{id} all", 1002, 8 << 10, 1, 10, idle, 8},
		[]program{{"/usr/libexec/gcc/x86_64-linux-gnu/13/cc1plus -quiet -O2 -I include src/{src}.cc -o /tmp/{id}.s", 1002, 180 << 10, 1, 6, busy, 512},
			{"g++ -O2 -Wall -I include -c src/{src}.cc -o build/{src}.o", 1002, 4 << 10, 1, 4, asleep, 0},
			{"/usr/bin/ld -o build/{src} build/{src}.o -lstdc++ -lm -lc", 1002, 90 << 10, 1, 12, busy, 8192}}},
	{"test", program{"/bin/bash -e /srv/ci/test.sh --shard {n} --id {id}", 1002, 4 << 10, 1, 6, asleep, 0},
		program{"/srv/ci/venv/bin/python -m pytest -n 16 --dist loadfile tests/{src}", 1002, 70 << 10, 4, 40, light, 16},
		[]program{{"/srv/ci/venv/bin/python -u -c from execnet.gateway_base import serve, init_popen_io; serve(init_popen_io(), id='gw{n}')", 1002, 120 << 10, 3, 22, steady, 128},
			{"/srv/ci/work/{id}/{src}.test -test.timeout=10m0s -test.run ^Test", 1002, 60 << 10, 9, 14, busy, 64}}},
	{"train", program{"/bin/bash /srv/train/run.sh --config configs/{src}.yaml --run {id}", 1004, 4 << 10, 1, 6, asleep, 0},
		program{"python -m torch.distributed.run --nproc-per-node 8 train.py --config configs/{src}.yaml --seed {n}", 1004, 300 << 10, 20, 60, steady, 64},
		[]program{{"python -u train.py --config configs/{src}.yaml --local-rank {n}", 1004, 2 << 20, 40, 130, parallel, 4096},
			{"python -u loader.py --shard {n} --prefetch 4", 1004, 400 << 10, 4, 30, steady, 8192}}},
	{"etl", program{"/bin/sh /srv/etl/nightly.sh {src}", 1005, 3 << 10, 1, 5, asleep, 0},
		program{"/srv/etl/venv/bin/python -m etl.load --table {src} --date 2026-11-{day}", 1005, 150 << 10, 6, 24, steady, 2048},
		[]program{{"zstd -d -c /data/in/{src}-{id}.csv.zst", 1005, 12 << 10, 1, 5, busy, 16384},
			{"sort --parallel=4 -S 512M -T /data/tmp -k {n}", 1005, 500 << 10, 4, 9, steady, 16384},
			{"psql -X -q -d warehouse -c COPY {src} FROM STDIN", 1005, 14 << 10, 1, 6, light, 4096}}},
}
