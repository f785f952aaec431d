// Manifest checks files for Kubernetes by Kubernetes' own types: a field that they do not have, or a value of another type, is an error.
// What it read it prints as JSON, one object a line.
package main

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// kinds are the objects that it knows.
var kinds = map[string]func() any{
	"v1 Namespace":      func() any { return new(corev1.Namespace) },
	"v1 ConfigMap":      func() any { return new(corev1.ConfigMap) },
	"v1 ServiceAccount": func() any { return new(corev1.ServiceAccount) },
	"apps/v1 DaemonSet": func() any { return new(appsv1.DaemonSet) },
}

// strictly reads an object as the API server does that is asked to be strict: names of fields are told apart by their capitals too.
func strictly(text []byte, to any) error {
	object, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	unknown, err := json.UnmarshalStrict(object, to)
	return errors.Join(append(unknown, err)...)
}

func check(w io.Writer, text []byte) error {
	encoder := stdjson.NewEncoder(w)
	for i, part := range bytes.Split(text, []byte("\n---\n")) {
		var is struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal(part, &is); err != nil {
			return fmt.Errorf("object %d: %w", i+1, err)
		}
		object, known := kinds[is.APIVersion+" "+is.Kind]
		if !known {
			return fmt.Errorf("object %d: %s %s is not known", i+1, is.APIVersion, is.Kind)
		}
		to := object()
		if err := strictly(part, to); err != nil {
			return fmt.Errorf("%s: %w", is.Kind, err)
		}
		if err := encoder.Encode(to); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = check(os.Stdout, text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}
