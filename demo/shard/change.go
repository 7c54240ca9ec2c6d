package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Add brings up the controllers of a shard and returns when they are ready. install is what `flux install --export`
// prints. A shard that is there is repaired.
func Add(ctx context.Context, cluster clusters.Cluster, install []byte, name string, size manifests.Size, steps clusters.Steps) error {
	if err := CheckName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	objects, err := manifests.Shard(install, name, size)
	if err != nil {
		return err
	}
	c, owner, err := demo.ConnectToOwnFlux(cluster)
	if err != nil {
		return err
	}
	end := steps.Start("Controllers of " + name)
	if err = apply.New(c, owner).All(ctx, objects); err == nil {
		err = object.AwaitReady(ctx, c, object.Workloads(objects)...)
	}
	end(err)
	return err
}

// Resize sets up the main controllers for so many objects, and returns when they are ready.
func Resize(ctx context.Context, cluster clusters.Cluster, install []byte, size manifests.Size, steps clusters.Steps) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	objects, err := manifests.Flux(install, size)
	if err != nil {
		return err
	}
	c, owner, err := demo.ConnectToOwnFlux(cluster)
	if err != nil {
		return err
	}
	end := steps.Start("Settings of the main controllers")
	deployments := object.Workloads(objects)
	if err = apply.New(c, owner).All(ctx, deployments); err == nil {
		err = object.AwaitReady(ctx, c, deployments...)
	}
	end(err)
	return err
}

// Move gives an object, named by its kind (in any case), namespace and name, to a shard or to the main
// controllers, and returns when they have reconciled it. One that is suspended is only labelled.
//
// A source that moves is fetched anew, by the source-controller of its new shard. The one that it leaves keeps its old
// artifact until that pod is restarted, and serves it to those who still have the old URL
// (https://github.com/fluxcd/source-controller/issues/2150).
func Move(ctx context.Context, cluster clusters.Cluster, kind, namespace, name, shard string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	c, owner, err := demo.ConnectToOwnFlux(cluster)
	if err != nil {
		return err
	}
	kinds, err := object.FluxKinds(ctx, c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(kinds, func(k schema.GroupVersionKind) bool { return isShardable(k) && strings.EqualFold(k.Kind, kind) })
	if i < 0 {
		return fmt.Errorf("%s is no kind that a shard looks after; they are sources, Kustomizations and HelmReleases", kind)
	}
	if err := exists(ctx, c, shard); err != nil {
		return err
	}
	o := object.Named(kinds[i], namespace, name)
	if err := c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return fmt.Errorf("reading %s %s/%s: %w", kinds[i].Kind, namespace, name, err)
	}
	token := time.Now().Format(time.RFC3339Nano)
	if err := label(ctx, owner, o, shard, token); err != nil {
		return err
	}
	if object.Suspended(o) {
		return nil
	}
	return object.Await(ctx, c, o, func(o *unstructured.Unstructured) bool {
		return object.Handled(o) == token
	})
}

// label gives an object to a shard, and asks for a reconciliation.
func label(ctx context.Context, owner *ownership.Owner, o *unstructured.Unstructured, shard, token string) error {
	var key any = shard
	if shard == Main {
		key = nil
	}
	metadata := map[string]any{"labels": map[string]any{Key: key}}
	if token != "" {
		metadata["annotations"] = map[string]any{meta.ReconcileRequestAnnotation: token}
	}
	return object.Applying(o, owner.Patch(ctx, o.DeepCopy(), map[string]any{"metadata": metadata}))
}

// ErrNotFound says that there is no shard of that name.
var ErrNotFound = errors.New("there is no shard")

// ErrInUse says that a shard still looks after objects.
var ErrInUse = errors.New("it still looks after objects")

// Remove takes away the controllers of a shard, and returns when they are gone. It fails with ErrInUse while
// the shard has objects, which nobody would look after any more.
func Remove(ctx context.Context, cluster clusters.Cluster, name string, steps clusters.Steps) error {
	if err := CheckName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	c, owner, err := demo.ConnectToOwnFlux(cluster)
	if err != nil {
		return err
	}
	if err := exists(ctx, c, name); err != nil {
		return err
	}
	objects, err := shardable(ctx, c)
	if err != nil {
		return err
	}
	var left []string
	for _, o := range objects {
		if o.GetLabels()[Key] == name {
			left = append(left, fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName()))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("shard %s: %w: %s; `fluxdemo shard move` gives them to others", name, ErrInUse, strings.Join(left, ", "))
	}
	end := steps.Start("Controllers of " + name)
	err = removeAll(ctx, c, owner, client.MatchingLabels{manifests.ShardLabel: name})
	end(err)
	if left := owner.Left(); err == nil && len(left) > 0 {
		err = fmt.Errorf("shard %s: %s", name, left[0])
	}
	return err
}

// removeShards removes those controllers of the selected shards that are the demo's, and waits until they are gone.
func removeAll(ctx context.Context, c client.WithWatch, owner *ownership.Owner, which client.ListOption) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), corev1.SchemeGroupVersion.WithKind("Service"),
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list, client.InNamespace(demo.FluxNamespace), which); err != nil {
			return fmt.Errorf("listing the shards: %w", err)
		}
		for i := range list.Items {
			group.Go(func() error { return owner.Leave(owner.Remove(ctx, &list.Items[i])) })
		}
	}
	return group.Wait()
}

// Undo gives what the demo's shards look after back to the main controllers, and removes these shards. A key that is
// no shard's of the demo is a matter of others.
func Undo(ctx context.Context, c client.WithWatch, owner *ownership.Owner) error {
	shards, err := List(ctx, c)
	if err != nil {
		return err
	}
	demos := map[string]bool{}
	for _, s := range shards {
		demos[s.Name] = len(s.Controllers) > 0
	}
	objects, err := shardable(ctx, c)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if !demos[o.GetLabels()[Key]] {
			continue
		}
		if err := owner.Leave(label(ctx, owner, o, Main, "")); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return removeAll(ctx, c, owner, client.HasLabels{manifests.ShardLabel})
}
