package diagram

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-git/go-billy/v6"
	"github.com/go-git/go-billy/v6/util"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/demo/setup"
)

// Label is on everything that a diagram becomes; its value is the plan's name.
const Label = "fluxdemo.github.io/diagram"

// Where the files of diagrams stand in the fleet. What is in the cluster's folder Flux applies; the Kustomizations
// there point to the other one.
const (
	clusterDir = "clusters/demo/diagrams"
	nodesDir   = "diagrams"
)

// namespace is where the ConfigMaps of the nodes go. The fleet has it for everybody to try things out.
const namespace = "playground"

// How often Flux looks at a node, how soon it tries again, and how long one may take.
const (
	interval = 10 * time.Minute
	again    = 5 * time.Second
	limit    = time.Minute
)

// write replaces what the fleet has of the plan.
func (p *Plan) write(files billy.Filesystem) error {
	if err := erase(files, p.Name); err != nil {
		return err
	}
	names := map[string]string{}
	for _, n := range p.Nodes {
		names[n.ID] = n.Kustomization
	}
	var all [][]byte
	for _, n := range p.Nodes {
		dir := path.Join(nodesDir, p.Name, n.Kustomization)
		k := kustomizev1.Kustomization{
			TypeMeta: metav1.TypeMeta{APIVersion: kustomizev1.GroupVersion.String(), Kind: kustomizev1.KustomizationKind},
			ObjectMeta: metav1.ObjectMeta{
				Name: n.Kustomization, Namespace: setup.FluxNamespace,
				Labels:      map[string]string{Label: p.Name},
				Annotations: map[string]string{Label + "-node": n.ID},
			},
			Spec: kustomizev1.KustomizationSpec{
				Interval: metav1.Duration{Duration: interval}, RetryInterval: &metav1.Duration{Duration: again}, Timeout: &metav1.Duration{Duration: limit},
				Path: "./" + dir, Prune: true,
				SourceRef: kustomizev1.CrossNamespaceSourceReference{Kind: sourcev1.GitRepositoryKind, Name: setup.SyncName},
			},
		}
		for _, id := range n.After {
			k.Spec.DependsOn = append(k.Spec.DependsOn, kustomizev1.DependencyReference{Name: names[id]})
		}
		// The status of a type is written even if there is none, and Git is not the place for it.
		raw, err := withoutStatus(k)
		if err != nil {
			return err
		}
		all = append(all, raw)
		config, err := yaml.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": n.Kustomization, "namespace": namespace, "labels": map[string]string{Label: p.Name}},
			"data":     map[string]string{"label": n.Label, "after": strings.Join(n.After, ", ")},
		})
		if err != nil {
			return err
		}
		if err := util.WriteFile(files, path.Join(dir, "configmap.yaml"), config, 0o644); err != nil {
			return err
		}
	}
	text := []byte("# Made by `fluxdemo diagram run`; `fluxdemo diagram clean` takes it away.\n" + join(all))
	return util.WriteFile(files, path.Join(clusterDir, p.Name+".yaml"), text, 0o644)
}

func withoutStatus(k kustomizev1.Kustomization) ([]byte, error) {
	raw, err := yaml.Marshal(k)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	return yaml.Marshal(fields)
}

func join(documents [][]byte) string {
	var all []string
	for _, d := range documents {
		all = append(all, string(d))
	}
	return strings.Join(all, "---\n")
}

// erase takes a plan out of the fleet; one that is not there is no error.
func erase(files billy.Filesystem, name string) error {
	err := files.Remove(path.Join(clusterDir, name+".yaml"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return util.RemoveAll(files, path.Join(nodesDir, name))
}

// names lists the plans that the fleet has.
func names(files billy.Filesystem) ([]string, error) {
	var all []string
	for _, dir := range []string{nodesDir, clusterDir} {
		entries, err := files.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, err)
		}
		for _, e := range entries {
			if name := strings.TrimSuffix(e.Name(), ".yaml"); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}
