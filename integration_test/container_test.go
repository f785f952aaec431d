package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// daemonSet is what of deploy/kubernetes/daemonset.yaml matters here.
type daemonSet struct {
	Spec struct {
		Template struct {
			Spec struct {
				HostPID, HostNetwork bool
				Containers           []kubeContainer
				Volumes              []struct {
					Name     string
					HostPath struct{ Path string }
				}
			}
		}
	}
}

type kubeContainer struct {
	Args            []string
	SecurityContext struct {
		ReadOnlyRootFilesystem bool
		Capabilities           struct{ Add, Drop []string }
	}
	StartupProbe, LivenessProbe, ReadinessProbe struct{ HTTPGet struct{ Path string } }
	VolumeMounts                                []struct{ Name, MountPath string }
}

// checkManifest has Kubernetes' own types read a file, and returns its objects as JSON, one a line.
func checkManifest(text string) (objects []byte, err error) {
	cmd := exec.Command("go", "run", "-C", "../deploy/tools", "./manifest")
	cmd.Stdin = strings.NewReader(text)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if objects, err = cmd.Output(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, complaints.Bytes())
	}
	return objects, nil
}

// loadDaemonSet is the DaemonSet, and the settings beside it.
func loadDaemonSet(t *testing.T) (d daemonSet, settings string) {
	t.Helper()
	var config struct{ Data map[string]string }
	for line := range bytes.Lines(must(checkManifest(readText(t, "../deploy/kubernetes/daemonset.yaml")))(t)) {
		to := any(nil)
		switch {
		case bytes.Contains(line, []byte(`"kind":"DaemonSet"`)):
			to = &d
		case bytes.Contains(line, []byte(`"kind":"ConfigMap"`)):
			to = &config
		default:
			continue
		}
		if err := json.Unmarshal(line, to); err != nil {
			t.Fatal(err)
		}
	}
	return d, config.Data["recorder.yaml"]
}

// TestDaemonSet_IsSound has Kubernetes' types read the file, and compares what it asks for with the unit for systemd.
func TestDaemonSet_IsSound(t *testing.T) {
	long(t)
	t.Parallel()
	d, _ := loadDaemonSet(t)
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	caps := strings.Fields(strings.ReplaceAll(settingOf(t, unitText(t, "recorder"), "CapabilityBoundingSet"), "CAP_", ""))
	if !slices.Equal(c.SecurityContext.Capabilities.Add, caps) || !slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("capabilities %+v, the unit has %v", c.SecurityContext.Capabilities, caps)
	}
	if !pod.HostPID || !pod.HostNetwork || !c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("the pod sees itself alone, or may write: %+v", pod)
	}
	for _, m := range c.VolumeMounts {
		if !slices.ContainsFunc(pod.Volumes, func(v struct {
			Name     string
			HostPath struct{ Path string }
		}) bool {
			return v.Name == m.Name
		}) {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
	// The controls: a field that does not exist, and a value of another type.
	text := readText(t, "../deploy/kubernetes/daemonset.yaml")
	for _, wrong := range []string{strings.Replace(text, "hostPID:", "hostPid:", 1), strings.Replace(text, "port: 7447", "port: [7447]", 1)} {
		if _, err := checkManifest(wrong); err == nil || wrong == text {
			t.Error("a wrong file passes")
		}
	}
}

// lastStage is the last stage of the Containerfile: its words, by instruction.
func lastStage(t *testing.T) map[string][]string {
	t.Helper()
	words := map[string][]string{}
	for line := range strings.Lines(readText(t, "../deploy/container/Containerfile")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "FROM" {
			words = map[string][]string{}
		}
		words[name] = append(words[name], rest)
	}
	return words
}

// jsonWords are the words of an instruction in its JSON form, which needs no shell.
func jsonWords(t *testing.T, all []string) (words []string) {
	t.Helper()
	if len(all) != 1 {
		t.Fatalf("%q, want one", all)
	}
	if err := json.Unmarshal([]byte(all[0]), &words); err != nil {
		t.Fatal(err)
	}
	return words
}

// inContainer starts a program as a container of the image would have it: its root has the program alone and is read-only, it has the
// capabilities and no others, and what is mounted is the machine's /proc, /sys and /dev, the data and the settings.
const inContainer = `set -e
root=$1 data=$2 settings=$3 caps=$4
shift 4
mount --bind "$root" "$root"
for dir in proc sys dev; do mount --rbind "/$dir" "$root/$dir"; done
mount --bind "$data" "$root/var/lib/proctape"
mount --bind "$settings" "$root/etc/proctape"
mount -o remount,ro,bind "$root"
exec chroot "$root" /bin/setpriv --bounding-set "$caps" --no-new-privs "$@"`

// TestContainer_Records starts the program as the image and the DaemonSet say, in a system that has nothing else, and asks the probes.
func TestContainer_Records(t *testing.T) {
	long(t)
	t.Parallel()
	words := lastStage(t)
	if words["FROM"][0] != "scratch" || !strings.HasSuffix(words["COPY"][0], " "+jsonWords(t, words["ENTRYPOINT"])[0]) {
		t.Fatalf("the image has something else: %q", words)
	}
	if goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(readText(t, "../go.mod"))[1]; !strings.Contains(readText(t, "../deploy/container/Containerfile"), "golang:"+goVersion+"-") {
		t.Errorf("the image is not built with Go %s, which go.mod names", goVersion)
	}
	s := newPackageSystem(t, "deb", "setpriv", "unshare")
	s.write("usr/bin/proctape", readText(t, proctape), 0o755)
	d, settings := loadDaemonSet(t)
	c := d.Spec.Template.Spec.Containers[0]
	if fromImage := jsonWords(t, words["CMD"]); c.Args[0] != fromImage[0] || c.Args[1] != strings.Join(fromImage[1:], "=") {
		t.Errorf("the image runs %q, the DaemonSet %q", fromImage, c.Args)
	}
	outside := t.TempDir()
	for _, dir := range []string{"data", "settings"} {
		if err := os.Mkdir(filepath.Join(outside, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"proc", "sys", "dev", "var/lib/proctape", "etc/proctape"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "settings", "recorder.yaml"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("unshare", "--mount", "mount", "--bind", outside, outside).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: nothing may be mounted here: %v %s", err, out)
	}
	args := []string{"--mount", "sh", "-c", inContainer, "sh", s.dir, filepath.Join(outside, "data"), filepath.Join(outside, "settings"),
		"-all,+" + strings.ToLower(strings.Join(c.SecurityContext.Capabilities.Add, ",+")), jsonWords(t, words["ENTRYPOINT"])[0]}
	for _, arg := range c.Args {
		args = append(args, strings.Replace(arg, ":7447", ":0", 1))
	}
	p := startProgram(t, "unshare", append(args, "--interval", "200ms", "--host", "node")...)
	p.awaitLine("http://")
	awaitSnapshots(t, filepath.Join(outside, "data"), 2)
	url := regexp.MustCompile(`http://127.0.0.1:[0-9]+`).FindString(strings.Join(p.out(), "\n"))
	for _, probe := range []string{c.StartupProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path} {
		answer, err := http.Get(url + probe)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", probe, answer.Status)
		}
	}
	p.stop()
	if seen := run(t, "snapshots", "--data", filepath.Join(outside, "data"), "--newest", "--limit", "1", "--json"); !strings.Contains(seen, fmt.Sprintf(`"pid":%d,`, os.Getpid())) {
		t.Errorf("it does not see this process, which is outside: %s", seen)
	}
}
