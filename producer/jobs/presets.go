package jobs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// Preset says by which variables a system tells the processes of its jobs which job they are of.
type Preset struct {
	Name   string // for --job-env
	System string // for people
	// Job is the job's name: text, and ${VARIABLE} for the value of a variable, which must be set. A part in brackets is left out where
	// its variable is not set, empty, 0 or undefined.
	Job   string
	Needs string // a variable that must be set too: the others are not the system's alone; empty: none
	Step  string // the variable with the number of the step; empty: none
}

// presets are the systems that are known, each before those in which its jobs may run: a CI runner may be a job of a batch system, and that
// may run in a pod. docs/jobs.md has the table.
var presets = []Preset{
	{Name: "github", System: "GitHub Actions, Gitea, Forgejo", Job: "github-${GITHUB_RUN_ID}[.${GITHUB_RUN_ATTEMPT}][-${GITHUB_JOB}]"},
	{Name: "gitlab", System: "GitLab CI", Job: "gitlab-${CI_JOB_ID}"},
	{Name: "buildkite", System: "Buildkite", Job: "buildkite-${BUILDKITE_JOB_ID}"},
	{Name: "azure", System: "Azure Pipelines", Job: "azure-${BUILD_BUILDID}[.${SYSTEM_JOBATTEMPT}][-${SYSTEM_JOBNAME}]", Needs: "TF_BUILD"},
	{Name: "teamcity", System: "TeamCity", Job: "teamcity-[${TEAMCITY_BUILDCONF_NAME}-]${BUILD_NUMBER}", Needs: "TEAMCITY_VERSION"},
	{Name: "circleci", System: "CircleCI", Job: "circleci-${CIRCLE_BUILD_NUM}[.${CIRCLE_NODE_INDEX}]"},
	{Name: "travis", System: "Travis CI", Job: "travis-${TRAVIS_JOB_ID}"},
	{Name: "cirrus", System: "Cirrus CI", Job: "cirrus-${CIRRUS_TASK_ID}"},
	{Name: "drone", System: "Drone", Job: "drone-[${DRONE_REPO}-]${DRONE_BUILD_NUMBER}[.${DRONE_STAGE_NUMBER}]", Step: "DRONE_STEP_NUMBER"},
	{Name: "woodpecker", System: "Woodpecker", Job: "woodpecker-[${CI_REPO}-]${CI_PIPELINE_NUMBER}[.${CI_WORKFLOW_NUMBER}]"},
	{Name: "semaphore", System: "Semaphore", Job: "semaphore-${SEMAPHORE_JOB_ID}"},
	{Name: "bitbucket", System: "Bitbucket Pipelines", Job: "bitbucket-[${BITBUCKET_REPO_FULL_NAME}-]${BITBUCKET_BUILD_NUMBER}[-${BITBUCKET_STEP_UUID}]"},
	{Name: "bamboo", System: "Bamboo", Job: "bamboo-${bamboo_buildResultKey}"},
	{Name: "gocd", System: "GoCD", Job: "gocd-${GO_PIPELINE_NAME}-${GO_PIPELINE_COUNTER}-${GO_STAGE_NAME}[.${GO_STAGE_COUNTER}][-${GO_JOB_NAME}]"},
	{Name: "codebuild", System: "AWS CodeBuild", Job: "codebuild-${CODEBUILD_BUILD_ID}"},
	{Name: "prow", System: "Prow", Job: "prow-${PROW_JOB_ID}"},
	{Name: "jenkins", System: "Jenkins", Job: "${BUILD_TAG}"},
	{Name: "airflow", System: "Airflow", Job: "airflow-${AIRFLOW_CTX_DAG_ID}-${AIRFLOW_CTX_TASK_ID}-${AIRFLOW_CTX_DAG_RUN_ID}[.${AIRFLOW_CTX_TRY_NUMBER}]"},
	{Name: "slurm", System: "Slurm", Job: "slurm-${SLURM_JOB_ID}[.${SLURM_RESTART_COUNT}]", Step: "SLURM_STEP_ID"},
	{Name: "pbs", System: "PBS, Torque", Job: "pbs-${PBS_JOBID}"},
	{Name: "lsf", System: "LSF", Job: "lsf-${LSB_JOBID}[.${LSB_JOBINDEX}]"},
	{Name: "sge", System: "Grid Engine (SGE, UGE)", Job: "sge-${JOB_ID}[.${SGE_TASK_ID}]", Needs: "SGE_TASK_ID"},
	{Name: "flux", System: "Flux", Job: "flux-${FLUX_JOB_ID}"},
	{Name: "oar", System: "OAR", Job: "oar-${OAR_JOB_ID}"},
	{Name: "cobalt", System: "Cobalt", Job: "cobalt-${COBALT_JOBID}"},
	{Name: "loadleveler", System: "LoadLeveler", Job: "loadleveler-${LOADL_STEP_ID}"},
	{Name: "awsbatch", System: "AWS Batch", Job: "awsbatch-${AWS_BATCH_JOB_ID}[.${AWS_BATCH_JOB_ATTEMPT}]"},
	{Name: "nomad", System: "Nomad", Job: "nomad-[${NOMAD_JOB_NAME}-]${NOMAD_ALLOC_ID}[-${NOMAD_TASK_NAME}]"},
	{Name: "kubernetes", System: "Kubernetes, by the control group of the pod", Job: "pod-" + podUID},
}

// podUID stands in a preset for the id of the pod, which the control group tells and no variable.
const podUID = "UID"

// Presets are the presets that a sampler goes by, the first that fits first. The zero value has none.
type Presets struct{ list []Preset }

// AllPresets are all that are known.
func AllPresets() Presets { return Presets{presets} }

// List are the presets, in their order. The caller must not change them.
func (p Presets) List() []Preset { return p.list }

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// ParsePresets reads what --job-env says: names of presets, which are then the only ones, "all" or "none"; a variable, whose value is the
// name of the job; or a name with variables in it. Those that are not presets come first.
func ParsePresets(values []string) (Presets, error) {
	var own, picked []Preset
	named := false
	for _, v := range values {
		i := slices.IndexFunc(presets, func(p Preset) bool { return p.Name == v })
		switch {
		case v == "all":
			picked, named = append(picked, presets...), true
		case v == "none":
			named = true
		case i >= 0:
			picked, named = append(picked, presets[i]), true
		case variable.MatchString(v):
			own = append(own, Preset{Name: v, System: "of your own", Job: v})
		case variable.MatchString("${"+v+"}") && v == strings.ToUpper(v):
			own = append(own, Preset{Name: v, System: "of your own", Job: "${" + v + "}"})
		default:
			return Presets{}, fmt.Errorf("%q is neither a variable, nor a name with ${VARIABLE} in it, nor one of all, none, %s", v, presetNames())
		}
	}
	if !named {
		picked = presets
	}
	return Presets{append(own, picked...)}, nil
}

func presetNames() string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// Variables are the variables that the presets need, each once.
func (p Presets) Variables() []string {
	var names []string
	for i := range p.list {
		names = append(names, p.list[i].variables()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// variables are the variables of a preset.
func (p *Preset) variables() (names []string) {
	for _, m := range variable.FindAllStringSubmatch(p.Job, -1) {
		names = append(names, m[1])
	}
	for _, name := range []string{p.Needs, p.Step} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// owner is the owner that the variables of a process name by the first preset that fits.
func (p Presets) owner(env map[string]string) (o Owner, named bool) {
	if len(env) == 0 {
		return o, false
	}
	for i := range p.list {
		preset := &p.list[i]
		job := preset.job(env)
		if job == "" || job != procfs.ValidText(job, schema.MaxName) {
			continue
		}
		o.Job, o.undeclared = job, true
		if n, err := strconv.ParseInt(env[preset.Step], 10, 32); err == nil && n >= 0 {
			o.Sheet = schema.Some(n)
		}
		return o, true
	}
	return o, false
}

// job is the job that the preset's variables name; empty for none.
func (p *Preset) job(env map[string]string) string {
	if p.Needs != "" && env[p.Needs] == "" || !variable.MatchString(p.Job) {
		return ""
	}
	var b strings.Builder
	for rest := p.Job; rest != ""; {
		part, optional := rest, false
		switch i := strings.IndexByte(rest, '['); {
		case i == 0:
			part, rest, _ = strings.Cut(rest[1:], "]")
			optional = true
		case i > 0:
			part, rest = rest[:i], rest[i:]
		default:
			rest = ""
		}
		missing := false
		text := variable.ReplaceAllStringFunc(part, func(v string) string {
			value := env[v[2:len(v)-1]]
			missing = missing || value == "" || optional && (value == "0" || value == "undefined")
			return value
		})
		switch {
		case !missing:
			b.WriteString(text)
		case !optional:
			return ""
		}
	}
	return b.String()
}

// hasPods reports whether control groups of pods name jobs.
func (p Presets) hasPods() bool {
	return slices.ContainsFunc(p.list, func(p Preset) bool { return strings.HasSuffix(p.Job, podUID) && p.Name == "kubernetes" })
}

// podElement matches the element of a pod in the path of a control group as the kubelet names it: pod1f2e… with the driver cgroupfs, and
// kubepods-burstable-pod1f2e_….slice with the driver systemd; behind a colon stands what containerd adds where the two drivers are
// mixed. The id of a static pod has no dashes. Source: Kubernetes 1.6 to 1.34, pkg/kubelet/cm/pod_container_manager_linux.go.
var podElement = regexp.MustCompile(`^(?:[a-z0-9-]*-)?pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?::.*)?$`)

// podOf is the job of the pod that a control group is of; empty for none. The pod's group is below one that is called kubepods, wherever that
// is. Users can make groups below their own slice and name them as they like.
func podOf(cgroup string) string {
	if !strings.Contains(cgroup, "kubepods") || strings.HasPrefix(cgroup, "/user.slice/") {
		return ""
	}
	below := false
	for _, e := range elements(cgroup) {
		below = below || strings.Contains(e, "kubepods")
		if m := podElement.FindStringSubmatch(e); below && m != nil {
			return "pod-" + strings.ReplaceAll(m[1], "_", "-")
		}
	}
	return ""
}
