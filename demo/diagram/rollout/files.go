package rollout

import (
	"errors"
	"fmt"
	"io/fs"
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

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// Label is on everything that a diagram becomes; its value is the plan's name.
const Label = "fluxdemo.github.io/diagram"

// fileAnnotation is on a plan's Kustomizations; its value is the plan's File.
const fileAnnotation = Label + "-file"

// Where the files of diagrams stand in the fleet. What is in the cluster's folder Flux applies; the Kustomizations
// there point to the other one.
const (
	clusterDir = fleet.ClusterDir + "/diagrams"
	nodesDir   = "diagrams"
)

// namespace is that of the nodes' ConfigMaps. The fleet has it for experiments.
const namespace = "playground"

// How often Flux looks at a node, how soon it tries again, and how long one may take.
const (
	interval = 10 * time.Minute
	again    = 5 * time.Second
	limit    = time.Minute
)

// write replaces what the fleet has of the plan.
func (p *Plan) write(files billy.Filesystem) error {
	if err := p.clash(files); err != nil {
		return err
	}
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
				Name: n.Kustomization, Namespace: demo.FluxNamespace,
				Labels:      map[string]string{Label: p.Name},
				Annotations: map[string]string{Label + "-node": n.ID, fileAnnotation: p.File},
			},
			Spec: kustomizev1.KustomizationSpec{
				Interval: metav1.Duration{Duration: interval}, RetryInterval: &metav1.Duration{Duration: again}, Timeout: &metav1.Duration{Duration: limit},
				Path: "./" + dir, Prune: true, ServiceAccountName: p.account,
				SourceRef: kustomizev1.CrossNamespaceSourceReference{Kind: sourcev1.GitRepositoryKind, Name: demo.SyncName},
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
	text := []byte("# Made by `fluxdemo diagram run`; `fluxdemo diagram clean` removes it.\n" + join(all))
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

// clash returns an error if something else in the fleet has the name of the plan or of one of its Kustomizations. Flux
// would not apply anything any more that has two of a name.
func (p *Plan) clash(files billy.Filesystem) error {
	mine := map[string]bool{}
	for _, n := range p.Nodes {
		mine[n.Kustomization] = true
	}
	own := path.Join(clusterDir, p.Name+".yaml")
	return walkYAML(files, fleet.ClusterDir, func(name string, raw []byte) error {
		for _, d := range object.Documents(raw) {
			of, ours := d.Meta.Labels[Label]
			made := ours && of == p.Name && name == own
			switch file := d.Meta.Annotations[fileAnnotation]; {
			case made && file != "" && p.File != "" && file != p.File:
				return fmt.Errorf("the fleet already has a diagram %s, of %s; remove it with `fluxdemo diagram clean %s`, or rename one of the files", p.Name, file, p.Name)
			case made:
			case name == own:
				return fmt.Errorf("%s in the fleet contains objects that are not of a diagram; rename the diagram's file", name)
			case d.Meta.Kind == kustomizev1.KustomizationKind && d.Meta.Namespace == demo.FluxNamespace && mine[d.Meta.Name]:
				return fmt.Errorf("the fleet already has a Kustomization %s, in %s; rename the diagram's file", d.Meta.Name, name)
			}
		}
		return nil
	})
}

// walkYAML calls do for each YAML file below a folder, which need not be there.
func walkYAML(files billy.Filesystem, dir string, do func(name string, raw []byte) error) error {
	if _, err := files.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return util.Walk(files, dir, func(name string, info fs.FileInfo, err error) error {
		if err != nil || info.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		raw, err := util.ReadFile(files, name)
		if err != nil {
			return err
		}
		return do(name, raw)
	})
}

// erase takes a plan out of the fleet: what has its label, and nothing else. One that is not there is no error.
func erase(files billy.Filesystem, plan string) error {
	take := func(name string, raw []byte) error {
		var left [][]byte
		all := object.Documents(raw)
		for _, d := range all {
			if d.Err != nil && d.Raw == nil {
				return fmt.Errorf("%s in the fleet: %w", name, d.Err) // the rest would be lost
			}
			if d.Meta.Labels[Label] != plan {
				left = append(left, d.Raw)
			}
		}
		switch len(left) {
		case len(all):
			return nil
		case 0:
			return files.Remove(name)
		}
		return util.WriteFile(files, name, []byte(join(left)), 0o644)
	}
	if err := walkYAML(files, clusterDir, take); err != nil {
		return err
	}
	return walkYAML(files, path.Join(nodesDir, plan), take)
}

// names lists the plans that the fleet has.
func names(files billy.Filesystem) ([]string, error) {
	var all []string
	for _, dir := range []string{nodesDir, clusterDir} {
		err := walkYAML(files, dir, func(_ string, raw []byte) error {
			for _, d := range object.Documents(raw) {
				if name := d.Meta.Labels[Label]; name != "" && !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("looking for diagrams in %s: %w", dir, err)
		}
	}
	slices.Sort(all)
	return all, nil
}
