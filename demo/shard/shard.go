// Package shard divides Flux's work: it adds sets of controllers, assigns objects to them by label, and removes them.
// It changes only the demo's controllers.
package shard

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Key is the label by which Flux's controllers divide their work: those of a shard reconcile the objects that have its
// name there, the main ones those without the label (https://fluxcd.io/flux/installation/configuration/sharding/).
const Key = "sharding.fluxcd.io/key"

// Main stands for the main controllers, where the name of a shard is asked for.
const Main = "main"

// shardTime is how long the controllers of a shard may take to come or go, and one of them to take over an object.
const shardTime = 2 * time.Minute

// Shard is a set of controllers.
type Shard struct {
	Name string `json:"name"`
	// Controllers are its Deployments, with whether each is available.
	Controllers map[string]bool `json:"controllers"`
	// Objects are those that it reconciles, as Kind/namespace/name.
	Objects []string `json:"objects"`
}

// Ready reports whether all of its controllers are available.
func (s Shard) Ready() bool {
	for _, ready := range s.Controllers {
		if !ready {
			return false
		}
	}
	return len(s.Controllers) > 0
}

// CheckName returns an error for a name that cannot be a shard's.
func CheckName(name string) error {
	const longest = 20 // Deployment names become labels, and helm-controller stands before it
	if name == Main || len(name) > longest || len(validation.IsDNS1123Label(name)) > 0 {
		return fmt.Errorf("%q is not a valid name for a shard: use up to %d of a-z, 0-9, and -, for example shard1", name, longest)
	}
	return nil
}

// List returns the main controllers first, then the shards, each with its objects. A key without a shard has no
// controllers, so nothing reconciles its objects.
func List(ctx context.Context, c client.Client) ([]Shard, error) {
	all := map[string]*Shard{}
	of := func(name string) *Shard {
		name = cmp.Or(name, Main)
		if all[name] == nil {
			all[name] = &Shard{Name: name, Controllers: map[string]bool{}, Objects: []string{}}
		}
		return all[name]
	}
	of(Main)
	deployments := &appsv1.DeploymentList{}
	if err := c.List(ctx, deployments, client.InNamespace(demo.FluxNamespace), client.MatchingLabels{"app.kubernetes.io/part-of": "flux"}); err != nil {
		return nil, fmt.Errorf("listing Flux's controllers: %w", err)
	}
	for _, d := range deployments.Items {
		of(d.Labels[manifests.ShardLabel]).Controllers[d.Name] = d.Status.AvailableReplicas > 0
	}
	objects, err := shardable(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		s := of(o.GetLabels()[Key])
		s.Objects = append(s.Objects, o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName())
	}
	for _, s := range all {
		slices.Sort(s.Objects)
	}
	shards := []Shard{*all[Main]}
	delete(all, Main)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		shards = append(shards, *all[name])
	}
	return shards, nil
}

// shardable lists the objects of source-, kustomize- and helm-controller, in all namespaces.
func shardable(ctx context.Context, c client.Client) ([]*unstructured.Unstructured, error) {
	kinds, err := object.FluxKinds(ctx, c)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, kind := range kinds {
		if !isShardable(kind) {
			continue
		}
		if err := object.Each(ctx, c, kind, []string{""}, func(o *unstructured.Unstructured) error {
			objects = append(objects, o)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func isShardable(kind schema.GroupVersionKind) bool {
	group, _, _ := strings.Cut(kind.Group, ".")
	return slices.Contains([]string{"source", "kustomize", "helm"}, group)
}

// exists returns an error unless there are controllers for the shard.
func exists(ctx context.Context, c client.Client, name string) error {
	all, err := List(ctx, c)
	if err != nil {
		return err
	}
	var names []string
	for _, s := range all {
		if len(s.Controllers) > 0 {
			names = append(names, s.Name)
		}
	}
	if !slices.Contains(names, name) {
		return fmt.Errorf("%w %q; valid values: %s", ErrNotFound, name, strings.Join(names, ", "))
	}
	return nil
}
