package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// ShardKey is the label by which Flux's controllers divide their work: those of a shard look after the objects that
// have its name there, the main ones after those without the label (https://fluxcd.io/flux/installation/configuration/sharding/).
const ShardKey = "sharding.fluxcd.io/key"

// MainShard stands for the main controllers, where the name of a shard is asked for.
const MainShard = "main"

// shardTime is how long the controllers of a shard may take to come or go, and one of them to take over an object.
const shardTime = 2 * time.Minute

// Shard is a set of controllers.
type Shard struct {
	Name string `json:"name"`
	// Controllers are its Deployments, with whether each is available.
	Controllers map[string]bool `json:"controllers"`
	// Objects are those that it looks after, as Kind/namespace/name.
	Objects []string `json:"objects"`
}

// Ready tells whether all of its controllers are available.
func (s Shard) Ready() bool {
	for _, ready := range s.Controllers {
		if !ready {
			return false
		}
	}
	return len(s.Controllers) > 0
}

// CheckShardName returns an error for a name that cannot be a shard's.
func CheckShardName(name string) error {
	const longest = 20 // Deployment names become labels, and helm-controller stands before it
	if name == MainShard || len(name) > longest || len(validation.IsDNS1123Label(name)) > 0 {
		return fmt.Errorf("%q is no name for a shard: use up to %d of a-z, 0-9 and -, such as shard1", name, longest)
	}
	return nil
}

// AddShard brings up the controllers of a shard and returns when they are ready. install is what `flux install --export`
// prints. A shard that is there is repaired.
func AddShard(ctx context.Context, cluster clusters.Cluster, install []byte, name string, size manifests.Size, steps clusters.Steps) error {
	if err := CheckShardName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	objects, err := manifests.Shard(install, name, size)
	if err != nil {
		return err
	}
	c, owner, err := changeFlux(cluster)
	if err != nil {
		return err
	}
	end := steps.Start("Controllers of " + name)
	if err = newApplier(c, owner).all(ctx, objects); err == nil {
		err = awaitReady(ctx, c, workloads(objects)...)
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
	c, owner, err := changeFlux(cluster)
	if err != nil {
		return err
	}
	end := steps.Start("Settings of the main controllers")
	deployments := workloads(objects)
	if err = newApplier(c, owner).all(ctx, deployments); err == nil {
		err = awaitReady(ctx, c, deployments...)
	}
	end(err)
	return err
}

// ErrAdoptedFlux says that Flux was on the cluster before the demo.
var ErrAdoptedFlux = errors.New("Flux was on this cluster before the demo, and stays as it is; use a cluster of its own: `fluxdemo up --name own --cluster embedded`, then --name own")

// adoptedFlux tells whether Flux was on the cluster before the demo.
func adoptedFlux(cluster clusters.Cluster) bool {
	guest, is := cluster.(clusters.Guest)
	return is && guest.AdoptedFlux()
}

// MayChangeFlux returns ErrAdoptedFlux if Flux's controllers on the cluster
// are not the demo's.
func MayChangeFlux(cluster clusters.Cluster) error {
	if adoptedFlux(cluster) {
		return ErrAdoptedFlux
	}
	return nil
}

// changeFlux connects to a cluster whose Flux is the demo's.
func changeFlux(cluster clusters.Cluster) (client.WithWatch, *ownership.Owner, error) {
	if err := MayChangeFlux(cluster); err != nil {
		return nil, nil, err
	}
	return connectOwner(cluster)
}

// connectOwner connects to a cluster, and to the record of what is the
// demo's there.
func connectOwner(cluster clusters.Cluster) (client.WithWatch, *ownership.Owner, error) {
	c, err := Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, nil, err
	}
	owner, err := ownership.New(c, cluster)
	return c, owner, err
}

// Shards lists the main controllers, which come first, and the shards with what each looks after. A key that is no
// shard's has no controllers: nobody looks after its objects.
func Shards(ctx context.Context, c client.Client) ([]Shard, error) {
	all := map[string]*Shard{}
	of := func(name string) *Shard {
		name = cmp.Or(name, MainShard)
		if all[name] == nil {
			all[name] = &Shard{Name: name, Controllers: map[string]bool{}, Objects: []string{}}
		}
		return all[name]
	}
	of(MainShard)
	deployments := &appsv1.DeploymentList{}
	if err := c.List(ctx, deployments, client.InNamespace(FluxNamespace), client.MatchingLabels{"app.kubernetes.io/part-of": "flux"}); err != nil {
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
		s := of(o.GetLabels()[ShardKey])
		s.Objects = append(s.Objects, o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName())
	}
	for _, s := range all {
		slices.Sort(s.Objects)
	}
	shards := []Shard{*all[MainShard]}
	delete(all, MainShard)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		shards = append(shards, *all[name])
	}
	return shards, nil
}

// shardable lists the objects of source-, kustomize- and helm-controller, in all namespaces.
func shardable(ctx context.Context, c client.Client) ([]*unstructured.Unstructured, error) {
	kinds, err := fluxKinds(ctx, c)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, kind := range kinds {
		if !isShardable(kind) {
			continue
		}
		if err := each(ctx, c, kind, []string{""}, func(o *unstructured.Unstructured) error {
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

// MoveToShard gives an object, named by its kind (in any case), namespace and name, to a shard or to the main
// controllers, and returns when they have reconciled it. One that is suspended is only labelled.
//
// A source that moves is fetched anew, by the source-controller of its new shard. The one that it leaves keeps its old
// artifact until that pod is restarted, and serves it to those who still have the old URL
// (https://github.com/fluxcd/source-controller/issues/2150).
func MoveToShard(ctx context.Context, cluster clusters.Cluster, kind, namespace, name, shard string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	c, owner, err := changeFlux(cluster)
	if err != nil {
		return err
	}
	kinds, err := fluxKinds(ctx, c)
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
	o := named(kinds[i], namespace, name)
	if err := c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return fmt.Errorf("reading %s %s/%s: %w", kinds[i].Kind, namespace, name, err)
	}
	token := time.Now().Format(time.RFC3339Nano)
	if err := label(ctx, owner, o, shard, token); err != nil {
		return err
	}
	if suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); suspended {
		return nil
	}
	return awaitThat(ctx, c, o, func(o *unstructured.Unstructured) bool {
		handled, _, _ := unstructured.NestedString(o.Object, "status", "lastHandledReconcileAt")
		return handled == token
	})
}

// exists returns an error unless there are controllers for the shard.
func exists(ctx context.Context, c client.Client, name string) error {
	all, err := Shards(ctx, c)
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
		return fmt.Errorf("%w %q; there is: %s", ErrNoShard, name, strings.Join(names, ", "))
	}
	return nil
}

// label gives an object to a shard, and asks for a reconciliation.
func label(ctx context.Context, owner *ownership.Owner, o *unstructured.Unstructured, shard, token string) error {
	var key any = shard
	if shard == MainShard {
		key = nil
	}
	metadata := map[string]any{"labels": map[string]any{ShardKey: key}}
	if token != "" {
		metadata["annotations"] = map[string]any{meta.ReconcileRequestAnnotation: token}
	}
	return wrap(o, owner.Patch(ctx, o.DeepCopy(), map[string]any{"metadata": metadata}))
}

// ErrNoShard says that there is no shard of that name.
var ErrNoShard = errors.New("there is no shard")

// ErrShardInUse says that a shard still looks after objects.
var ErrShardInUse = errors.New("it still looks after objects")

// RemoveShard takes away the controllers of a shard, and returns when they are gone. It fails with ErrShardInUse while
// the shard has objects, which nobody would look after any more.
func RemoveShard(ctx context.Context, cluster clusters.Cluster, name string, steps clusters.Steps) error {
	if err := CheckShardName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, shardTime, fmt.Errorf("not done after %s", shardTime))
	defer cancel()
	c, owner, err := changeFlux(cluster)
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
		if o.GetLabels()[ShardKey] == name {
			left = append(left, fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName()))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("shard %s: %w: %s; `fluxdemo shard move` gives them to others", name, ErrShardInUse, strings.Join(left, ", "))
	}
	end := steps.Start("Controllers of " + name)
	err = removeShards(ctx, c, owner, client.MatchingLabels{manifests.ShardLabel: name})
	end(err)
	if left := owner.Left(); err == nil && len(left) > 0 {
		err = fmt.Errorf("shard %s: %s", name, left[0])
	}
	return err
}

// removeShards removes those controllers of the selected shards that are the demo's, and waits until they are gone.
func removeShards(ctx context.Context, c client.WithWatch, owner *ownership.Owner, which client.ListOption) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, kind := range []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), corev1.SchemeGroupVersion.WithKind("Service"),
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list, client.InNamespace(FluxNamespace), which); err != nil {
			return fmt.Errorf("listing the shards: %w", err)
		}
		for i := range list.Items {
			group.Go(func() error { return owner.Leave(owner.Remove(ctx, &list.Items[i])) })
		}
	}
	return group.Wait()
}

// unshard gives what the demo's shards look after back to the main controllers, and removes these shards. A key that is
// no shard's of the demo is a matter of others.
func (r *resetter) unshard(ctx context.Context) error {
	shards, err := Shards(ctx, r.client)
	if err != nil {
		return err
	}
	demos := map[string]bool{}
	for _, s := range shards {
		demos[s.Name] = len(s.Controllers) > 0
	}
	objects, err := shardable(ctx, r.client)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if !demos[o.GetLabels()[ShardKey]] {
			continue
		}
		if err := r.owner.Leave(label(ctx, r.owner, o, MainShard, "")); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return removeShards(ctx, r.client, r.owner, client.HasLabels{manifests.ShardLabel})
}
