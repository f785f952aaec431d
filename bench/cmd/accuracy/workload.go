package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// workload is a command whose truth is known otherwise.
type workload struct {
	name      string
	needs     string // program without which it is left out
	args      []string
	processes int     // that a storm starts; 0: strace counts
	failed    int     // of them, with another code than 0
	bar       float64 // of CPU, percent
	beside    *figure // what else is asked about it
}

// figure is a further figure of a workload: what it is called, the statement that asks for it (with %s for the job), and what is right.
type figure struct {
	name, ask string
	want      float64
	tolerance float64 // that it may differ
}

const (
	buildBar = 1.0 // percent of CPU
	stormBar = 2.0
	peakBar  = 2.0  // percent of the largest process's peak
	cpuFloor = 0.02 // seconds that a short workload may be apart: its parent ends after it was asked
	countBar = 0.02 // share by which the processes of a build may differ, which strace counts in another run of it
)

// goParents are the processes of a storm beside those that it starts: its parent and itself, and of each of these the child by which Go's
// runtime finds out at the first start of a program whether the kernel gives a pidfd (os.checkPidfd).
const goParents = 4

// workloads are all, or a storm alone. Files of theirs lie in dir.
func workloads(dir string, short bool) ([]workload, error) {
	tool := filepath.Join(dir, "accuracy")
	storm := func(n int) workload {
		return workload{name: fmt.Sprintf("%d processes of 1 ms", n), args: []string{tool, "storm", fmt.Sprint(n), "1000"}, processes: n + goParents, failed: n - (n+2)/3, bar: stormBar}
	}
	if short {
		return []workload{storm(400)}, nil
	}
	files := map[string]string{
		"build.sh": `cd "$1" && i=0; while [ $i -lt 12 ]; do echo "#include <stdio.h>
int f$i(int x){ return x+$i; } int main(){ printf(\"%d\", f$i(1)); }" >c$i.c; cc -O1 -o c$i c$i.c || exit 1; i=$((i+1)); done`,
		"build.py": "import compileall, os, shutil, sys\nsrc=os.path.dirname(os.__file__)\nd=sys.argv[1]+'/py'\nos.makedirs(d)\nfor n in sorted(os.listdir(src))[:150]:\n" +
			"  if n.endswith('.py'): shutil.copy(src+'/'+n, d)\nsys.exit(0 if compileall.compile_dir(d, quiet=2, workers=2) else 1)\n",
		"build.js":     "const {execFileSync}=require('child_process');let s=0;for(let i=0;i<6;i++)s+=execFileSync(process.execPath,['-e','let x=0;for(let i=0;i<2e7;i++)x+=i%7;console.log(x)']).length;process.exit(s>0?0:1)",
		"leaderexit.c": "#include <pthread.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\nstatic void*w(void*x){char*p=malloc(80<<20);memset(p,1,80<<20);__asm__ volatile(\"\"::\"r\"(p):\"memory\");for(volatile long i=0;i<600000000;i++);_exit(p[5]-1);}int main(){pthread_t t;pthread_create(&t,0,w,0);pthread_exit(0);}",
		"peakexec.c":   "#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\nint main(){char*p=malloc(120<<20);memset(p,1,120<<20);__asm__ volatile(\"\"::\"r\"(p):\"memory\");execl(\"/bin/sleep\",\"sleep\",p[7]?\"0.3\":\"9\",(char*)0);return 1;}",
		"threads.c":    "#include <pthread.h>\nstatic void*w(void*x){for(volatile long i=0;i<3000000;i++);return 0;}int main(){for(int i=0;i<200;i++){pthread_t t;pthread_create(&t,0,w,0);pthread_join(t,0);}return 0;}",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	all := []workload{storm(1000),
		{name: "C: 12 programs by cc", needs: "cc", args: []string{"sh", filepath.Join(dir, "build.sh"), dir}, bar: buildBar},
		{name: "Go: go build -a strconv", needs: "go", args: []string{"env", "GOCACHE=" + dir + "/gocache", "GOFLAGS=-mod=mod", "go", "build", "-a", "strconv"}, bar: buildBar},
		{name: "Python: compileall, two workers", needs: "python3", args: []string{"python3", filepath.Join(dir, "build.py"), dir}, bar: buildBar},
		{name: "Node: six children", needs: "node", args: []string{"node", filepath.Join(dir, "build.js")}, bar: buildBar}}
	for _, odd := range []struct{ file, name string }{{"leaderexit", "the first thread ends, others go on"}, {"peakexec", "120 MiB, then exec of a small program"}, {"threads", "200 threads of some ms"}} {
		w := workload{name: odd.name, needs: "cc", args: []string{filepath.Join(dir, odd.file)}, bar: buildBar}
		if _, err := exec.LookPath("cc"); err == nil {
			if out, err := exec.Command("cc", "-O1", "-pthread", "-o", w.args[0], w.args[0]+".c").CombinedOutput(); err != nil {
				return nil, fmt.Errorf("compile %s: %w: %s", odd.file, err, out)
			}
		}
		all = append(all, w)
	}
	return append(all, odd(dir)...), nil
}

// The programs of odd workloads.
const (
	hugePages = `import mmap, time
m = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
for at in range(0, len(m), 4096): m[at] = 1
time.sleep(7)`
	cancelled = `import os, sys, time
f = open(sys.argv[1] + "/cancelled", "wb", buffering=0)
for i in range(4):
    for j in range(16): f.write(bytes(1 << 20))
    f.truncate(0)
    f.seek(0)
time.sleep(3)`
	newTitle = `import ctypes, os, sys, time
time.sleep(3)
with open("/proc/self/stat") as f: start = int(f.read().rsplit(")", 1)[1].split()[45])
title = b"worker: NEWTITLE"
ctypes.memmove(start, title + bytes(8), len(title) + 8)
time.sleep(14)`
)

// odd are workloads of which more is asked than how much they used.
func odd(dir string) []workload {
	long := "-cp " + strings.Repeat("/opt/app/lib/some-library-1.2.3.jar:", 170)
	lived := func(like string) string {
		return "SELECT count(*) > 0 FROM process_metrics WHERE job_id = '%s' AND command LIKE '" + like + "'"
	}
	return []workload{
		{name: "16 MiB in huge pages", needs: "python3", args: []string{"python3", "-c", hugePages}, bar: buildBar,
			beside: &figure{"MiB in huge pages", "SELECT max(hugetlb_mb) FROM process_metrics WHERE job_id = '%s'", 16, 0}},
		{name: "64 MiB written and cut off", needs: "python3", args: []string{"python3", "-c", cancelled, dir}, bar: buildBar,
			beside: &figure{"MiB that reached the disk", "SELECT write_mb - cancelled_write_mb FROM process_metrics WHERE job_id = '%s' AND write_mb > 60 ORDER BY id DESC LIMIT 1", 0, 0.5}},
		{name: "a title set after the start, then asleep", needs: "python3", args: []string{"python3", "-c", newTitle}, bar: buildBar,
			beside: &figure{"new title seen", lived("worker: NEWTITLE%%"), 1, 0}},
		{name: "a command line of 6 KB", needs: "bash", args: []string{"bash", "-c", `exec -a java sh -c "sleep 4; true" "$@"`, "bash", long, "com.example.BillingMain"}, bar: buildBar,
			beside: &figure{"head and tail kept", lived("java %%BillingMain"), 1, 0}},
	}
}
