package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Add brings up the controllers of a shard and returns when they are ready. install is what `flux install --export`
// prints. A shard that is there is repaired.
func Add(ctx context.Context, cluster clusters.Cluster, install []byte, name string, size manifests.Size, report clusters.Steps) error {
	if err := CheckName(name); err != nil {
		return err
	}
	objects, err := manifests.Shard(install, name, size)
	if err != nil {
		return err
	}
	return put(ctx, cluster, objects, controllersOf(name), report)
}

// Resize sets up the main controllers for so many objects, and returns when they are ready.
func Resize(ctx context.Context, cluster clusters.Cluster, install []byte, size manifests.Size, report clusters.Steps) error {
	objects, err := manifests.Flux(install, size)
	if err != nil {
		return err
	}
	return put(ctx, cluster, object.Workloads(objects), "Settings of the main controllers", report)
}

// put applies objects, and waits until the Deployments among them are ready, as a step of that name.
func put(ctx context.Context, cluster clusters.Cluster, objects []*unstructured.Unstructured, step string, report clusters.Steps) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	c, owner, err := demo.ConnectToOwnFlux(cluster)
	if err != nil {
		return err
	}
	return steps.One(ctx, report, step, func(ctx context.Context) error {
		if err := apply.New(c, owner).All(ctx, objects); err != nil {
			return err
		}
		return object.AwaitReady(ctx, c, object.Workloads(objects)...)
	})
}

// controllersOf is the step in which the controllers of a shard come or go.
func controllersOf(name string) string { return "Controllers of " + name }

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
		return fmt.Errorf("a shard does not reconcile %s; valid kinds: sources, Kustomizations, HelmReleases", kind)
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

// label gives an object to a shard and, with a token, asks for a reconciliation.
func label(ctx context.Context, owner *ownership.Owner, o *unstructured.Unstructured, shard, token string) error {
	var key any = shard
	if shard == Main {
		key = nil
	}
	patch := map[string]any{}
	if token != "" {
		patch = object.Request(token)
	}
	// In one write: a controller that is asked has to be the one that the label names.
	if err := unstructured.SetNestedField(patch, key, "metadata", "labels", Key); err != nil {
		return object.Applying(o, err)
	}
	return object.Applying(o, owner.Patch(ctx, o.DeepCopy(), patch))
}

// ErrNotFound says that there is no shard of that name.
var ErrNotFound = errors.New("there is no shard")

// ErrInUse says that a shard still has objects to reconcile.
var ErrInUse = errors.New("it still reconciles objects")

// Remove deletes the controllers of a shard, and returns when they are gone. It fails with ErrInUse if the shard has
// objects, because no controller would reconcile them any more.
func Remove(ctx context.Context, cluster clusters.Cluster, name string, report clusters.Steps) error {
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
		return fmt.Errorf("shard %s: %w: %s; move them first with `fluxdemo shard move`", name, ErrInUse, strings.Join(left, ", "))
	}
	err = steps.One(ctx, report, controllersOf(name), func(ctx context.Context) error {
		return removeAll(ctx, c, owner, client.MatchingLabels{manifests.ShardLabel: name})
	})
	if left := owner.Left(); err == nil && len(left) > 0 {
		err = fmt.Errorf("shard %s: %s", name, left[0])
	}
	return err
}

// removeAll removes those controllers of the selected shards that are the demo's, and waits until they are gone.
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

// Undo gives the objects of the demo's shards back to the main controllers, and removes these shards. It leaves keys
// that are not those of the demo's shards.
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
