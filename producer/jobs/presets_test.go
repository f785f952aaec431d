package jobs

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// What each system sets names the job, and what is not the system's alone names none.
func TestPresets(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"SLURM_JOB_ID=4711", "slurm-4711"}, {"SLURM_JOB_ID=4711 SLURM_STEP_ID=2 SLURM_RESTART_COUNT=0", "slurm-4711/2"},
		{"SLURM_JOB_ID=4711 SLURM_RESTART_COUNT=3 SLURM_STEP_ID=4294967291", "slurm-4711.3"},
		{"GITHUB_RUN_ID=99 GITHUB_RUN_ATTEMPT=2 GITHUB_JOB=build", "github-99.2-build"}, {"GITHUB_RUN_ID=99", "github-99"},
		{"CI_JOB_ID=5", "gitlab-5"}, {"BUILD_TAG=jenkins-app-12", "jenkins-app-12"}, {"BUILDKITE_JOB_ID=0190-aa", "buildkite-0190-aa"},
		{"PBS_JOBID=12[3].head", "pbs-12[3].head"}, {"LSB_JOBID=7 LSB_JOBINDEX=0", "lsf-7"}, {"LSB_JOBID=7 LSB_JOBINDEX=4", "lsf-7.4"},
		{"JOB_ID=8 SGE_TASK_ID=undefined", "sge-8"}, {"JOB_ID=8 SGE_TASK_ID=3", "sge-8.3"}, {"JOB_ID=8", ""},
		{"TF_BUILD=True BUILD_BUILDID=31 SYSTEM_JOBATTEMPT=1 SYSTEM_JOBNAME=job_1", "azure-31.1-job_1"}, {"BUILD_BUILDID=31", ""},
		{"TEAMCITY_VERSION=2024.1 BUILD_NUMBER=5 TEAMCITY_BUILDCONF_NAME=app", "teamcity-app-5"}, {"BUILD_NUMBER=5", ""},
		{"CIRCLE_BUILD_NUM=6 CIRCLE_NODE_INDEX=0", "circleci-6"}, {"DRONE_REPO=a/b DRONE_BUILD_NUMBER=9 DRONE_STAGE_NUMBER=1 DRONE_STEP_NUMBER=2", "drone-a/b-9.1/2"},
		{"AIRFLOW_CTX_DAG_ID=d AIRFLOW_CTX_TASK_ID=t AIRFLOW_CTX_DAG_RUN_ID=r AIRFLOW_CTX_TRY_NUMBER=2", "airflow-d-t-r.2"}, {"AIRFLOW_CTX_DAG_ID=d", ""},
		{"NOMAD_ALLOC_ID=ab NOMAD_JOB_NAME=web NOMAD_TASK_NAME=t", "nomad-web-ab-t"}, {"TRAVIS_JOB_ID=1", "travis-1"}, {"FLUX_JOB_ID=ƒ2", "flux-ƒ2"},
		{"SLURM_JOB_ID=1 CI_JOB_ID=2", "gitlab-2"}, {"CI_JOB_ID= SLURM_JOB_ID=1", "slurm-1"}, {"HOME=/root PATH=/bin", ""},
		{"PROCTAPE_JOB_ID=own PROCTAPE_SHEET=4 CI_JOB_ID=2", "own/4"}, {"CI_JOB_ID=\xff", ""},
	} {
		env := map[string]string{}
		for _, v := range strings.Fields(tt.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		o, named := ownerFromEnvironment(env, AllPresets())
		got := o.Job
		if o.Sheet.Known {
			got += fmt.Sprintf("/%d", o.Sheet.V)
		}
		if got != tt.want || named != (tt.want != "") {
			t.Errorf("%s: got %q, want %q", tt.env, got, tt.want)
		}
	}
	if names := AllPresets().Variables(); !slices.IsSorted(names) || !slices.Contains(names, "SGE_TASK_ID") || !slices.Contains(names, "SLURM_STEP_ID") {
		t.Errorf("got variables %v", names)
	}
}

func TestParsePresets(t *testing.T) {
	for _, tt := range []struct{ flags, first, job string }{
		{"", "github", "gitlab-2"}, {"all", "github", "gitlab-2"}, {"slurm", "slurm", "slurm-1"}, {"none", "", ""}, {"none MY_ID", "MY_ID", "x"},
		{"MY_ID", "MY_ID", "x"}, {"mine-${MY_ID} slurm", "mine-${MY_ID}", "mine-x"},
	} {
		p, err := ParsePresets(strings.Fields(tt.flags))
		if err != nil {
			t.Fatal(err)
		}
		o, _ := p.owner(map[string]string{"SLURM_JOB_ID": "1", "CI_JOB_ID": "2", "MY_ID": "x"})
		first := ""
		if len(p.List()) > 0 {
			first = p.List()[0].Name
		}
		if first != tt.first || o.Job != tt.job {
			t.Errorf("%q: got first %s and job %q, want %s and %q", tt.flags, first, o.Job, tt.first, tt.job)
		}
	}
	if _, err := ParsePresets([]string{"slurmm"}); err == nil || !strings.Contains(err.Error(), "slurm,") {
		t.Errorf("got error %v, want the names", err)
	}
}

// Control groups of pods, as both drivers of the kubelet name them, on both versions, name the pod.
func TestPodOf(t *testing.T) {
	const uid, under, job = "0f5c1c2e-8c53-4c4b-9d7e-3a1b2c3d4e5f", "0f5c1c2e_8c53_4c4b_9d7e_3a1b2c3d4e5f", "pod-0f5c1c2e-8c53-4c4b-9d7e-3a1b2c3d4e5f"
	for path, want := range map[string]string{
		"/kubepods/burstable/pod" + uid + "/4a5b": job, "/kubepods/pod" + uid: job, "/kubepods/besteffort/pod" + uid + "/x/y": job,
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + under + ".slice/cri-containerd-4a5b.scope":                                      job,
		"/kubepods.slice/kubepods-pod" + under + ".slice/crio-4a5b.scope":                                                                                   job,
		"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + under + ".slice/cri-containerd-1.scope": job,
		"/docker/77aa/kubelet/kubepods/burstable/pod" + uid + "/4a5b":                                                                                       job,
		"/system.slice/containerd.service/kubepods-burstable-pod" + under + ".slice:cri-containerd:4a5b":                                                    job,
		"/kubepods/burstable/pod0123456789abcdef0123456789abcdef/4a5b":                                                                                      "pod-0123456789abcdef0123456789abcdef",
		"/kubepods.slice": "", "/kubepods/burstable": "", "/system.slice/podman.service": "", "/pod" + uid: "",
		"/user.slice/user-1000.slice/kubepods/pod" + uid: "", "/kubepods/podx": "", "": "", "/": "",
	} {
		if got := podOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// ciWorld is a sampler's view of processes of CI jobs, by scans at given seconds after boot. The boot was at wall time 1000 s.
type ciWorld struct {
	*testing.T
	*Claims
	told []string
}

func newCIWorld(t *testing.T) *ciWorld {
	return &ciWorld{T: t, Claims: NewClaims(Naming{Presets: AllPresets()}, 0, nil)}
}

// scan shows processes at a second. What is told of runs is added to told, and comes back as it does from the log.
func (w *ciWorld) scan(second int64, final bool, procs ...procfs.Process) {
	for i := range procs {
		procs[i].PPID, procs[i].State = 1, 'S'
	}
	w.Observe(procs)
	for _, e := range w.TellRuns((1000+second)*1e9, second*1e9, final) {
		text := fmt.Sprintf("%s %s at %d", e.Type, e.JobID, e.Wall/1e9-1000)
		if e.Sheet.Known {
			text += fmt.Sprintf(" step %d", e.Sheet.V)
		}
		if e.Type == schema.JobEnded {
			text += fmt.Sprintf(" code %v: %s", e.ExitCode, e.Status)
		}
		w.told = append(w.told, text)
		w.ApplyJobEvent(&e, second*1e9)
	}
}

func (w *ciWorld) want(what string, told ...string) {
	w.Helper()
	if !slices.Equal(w.told, told) {
		w.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(w.told, "\n"), strings.Join(told, "\n"))
	}
	w.told = nil
}

func ofSlurm(pid int, startSecond uint64, step string) procfs.Process {
	p := procfs.Process{PID: pid, StartTicks: startSecond * 100, Env: map[string]string{"SLURM_JOB_ID": "7"}}
	if step != "" {
		p.Env["SLURM_STEP_ID"] = step
	}
	return p
}

// The sampler tells when a run that nobody declares begins and ends: with its first process and with its last, with the code of the first.
func TestTellRuns(t *testing.T) {
	w := newCIWorld(t)
	w.scan(20, false)
	w.want("nothing runs")
	w.scan(30, false, ofSlurm(50, 25, ""), ofSlurm(51, 27, "1"))
	w.want("it began", "declared slurm-7 at 25", "sheet_started slurm-7 at 27 step 1")
	w.scan(31, false, ofSlurm(50, 25, ""), ofSlurm(51, 27, "1"))
	w.want("it goes on")
	w.NoteExit(&schema.Event{PID: 51, StartTicks: 2700, Wall: 1031.5e9, JobID: "slurm-7", Sheet: schema.Some[int64](1), ExitCode: schema.Some[int64](0)})
	w.RemoveEnded(51, 2700, 31.5e9)
	w.scan(32, false, ofSlurm(50, 25, ""))
	w.scan(35, false, ofSlurm(50, 25, ""))
	w.want("the step ended", "sheet_ended slurm-7 at 31 step 1")
	w.NoteExit(&schema.Event{PID: 50, StartTicks: 2500, Wall: 1036e9, JobID: "slurm-7", ExitCode: schema.Some[int64](3)})
	w.RemoveEnded(50, 2500, 36e9)
	w.scan(37, false)
	w.scan(40, false)
	w.want("another process may come")
	w.scan(41, false, ofSlurm(52, 41, ""))
	w.NoteExit(&schema.Event{PID: 52, StartTicks: 4100, Wall: 1042e9, JobID: "slurm-7", ExitCode: schema.Some[int64](0)})
	w.RemoveEnded(52, 4100, 42e9)
	w.scan(43, false)
	w.scan(54, false)
	w.want("the last ended", "ended slurm-7 at 42 code {3 true}: failed")
	w.scan(60, false, ofSlurm(60, 59, ""))
	w.want("the job again", "declared slurm-7 at 59")
	w.scan(61, true)
	w.want("nothing follows, and nobody saw an end", "ended slurm-7 at 61 code {0 false}: ended")
}

// A run that a sampler before began goes on, and ends where nobody saw its end. A job whose runs a conductor declares has no others.
func TestTellRuns_BegunBefore(t *testing.T) {
	w := newCIWorld(t)
	w.ApplyJobEvent(&schema.JobEvent{Type: schema.JobDeclared, Wall: 1010e9, JobID: "slurm-7", Run: schema.RunID{1}, PID: schema.Some[int64](50), StartTicks: 1000,
		Inferred: true}, 0)
	w.scan(20, false, ofSlurm(51, 12, ""))
	w.want("its first process is gone and another lives")
	w.scan(40, false)
	w.scan(51, false)
	w.want("all are gone", "ended slurm-7 at 40 code {0 false}: ended")
	w.ApplyJobEvent(&schema.JobEvent{Type: schema.JobDeclared, Wall: 1060e9, JobID: "slurm-7", Run: schema.RunID{2}, PID: schema.Some[int64](70), StartTicks: 6000}, 0)
	w.scan(61, false, ofSlurm(70, 60, ""))
	w.want("a conductor declared it")
}

var update = flag.Bool("update", false, "write the table of docs/jobs.md")

// docs/jobs.md has the table of presets.
func TestPresets_Document(t *testing.T) {
	const file, begin, end = "../../docs/jobs.md", "| `--job-env` |", "\n\n"
	var b strings.Builder
	b.WriteString(begin + " system | name of the job | step |\n|---|---|---|---|\n")
	for _, p := range presets {
		job, step := "`"+p.Job+"`", "–"
		if p.Needs != "" {
			job += ", where `" + p.Needs + "` is set"
		}
		if p.Step != "" {
			step = "`" + p.Step + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, p.System, job, step)
	}
	want := strings.TrimSuffix(b.String(), "\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, _ := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no table of presets", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if begin+table != want {
		t.Errorf("%s is not what producer/jobs/presets.go says: go test ./producer/jobs -run Presets_Document -update", file)
	}
}
