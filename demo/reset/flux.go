package reset

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// tokens gives the Receiver the token that the Git host has, and the Provider that of the inbox.
func (r *resetter) tokens(ctx context.Context) error {
	host, err := demo.ReadSecret(ctx, r.client, demo.DemoNamespace, "git")
	if err != nil {
		return err
	}
	if err := r.token(ctx, "webhook-token", host["webhook-token"]); err != nil || host[demo.InboxToken] == "" {
		return err // without it, an earlier version has made the cluster: up adds the token
	}
	return r.token(ctx, demo.InboxSecret, host[demo.InboxToken])
}

// token restores a Secret from which Flux reads a token.
func (r *resetter) token(ctx context.Context, name, token string) error {
	applier := apply.New(r.client, r.owner)
	now, err := applier.Secret(ctx, demo.FluxNamespace, name, map[string]string{"token": token})
	if err != nil || now["token"] == token {
		return err
	}
	return applier.AddToSecret(ctx, demo.FluxNamespace, name, "token", token)
}

// strangers has those of Flux's own objects go that Git does not know.
func (r *resetter) strangers(ctx context.Context) error {
	ours := map[string]bool{}
	for _, o := range r.sync {
		ours[object.Key(o)] = true
	}
	kinds, err := object.FluxKinds(ctx, r.client)
	if err != nil {
		return err
	}
	namespaces := []string{demo.FluxNamespace, demo.AppNamespace, demo.Playground}
	if demo.AdoptedFlux(r.cluster) {
		namespaces = namespaces[1:] // that one holds what others have Flux do
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(apply.Parallel)
	for _, kind := range kinds {
		group.Go(func() error {
			return object.Each(ctx, r.client, kind, namespaces, func(o *unstructured.Unstructured) error {
				if ours[object.Key(o)] || r.managed(o) {
					return nil
				}
				return r.remove(ctx, o)
			})
		})
	}
	return group.Wait()
}

// apply makes those objects that Flux follows, and which fit, what Git says, and has them go on if they are
// suspended.
func (r *resetter) apply(ctx context.Context, fits func(*unstructured.Unstructured) bool) error {
	applier := apply.New(r.client, r.owner)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(apply.Parallel)
	for _, o := range r.sync {
		if !fits(o) {
			continue
		}
		group.Go(func() error {
			there, err := applier.There(ctx, o)
			if err != nil {
				return object.Applying(o, err)
			}
			if there != nil && there.GetDeletionTimestamp() != nil {
				if err := object.AwaitGone(ctx, r.client, there); err != nil {
					return err
				}
				there = nil
			}
			if there == nil {
				return object.Applying(o, applier.Seed(ctx, o))
			}
			o := o.DeepCopy()
			o.SetLabels(there.GetLabels()) // by which Flux knows its own
			// As kustomize-controller will, so that nothing is left for it to change.
			if err := r.owner.Apply(ctx, o, there, "kustomize-controller"); err != nil {
				return object.Applying(o, err)
			}
			return r.resume(ctx, there)
		})
	}
	return group.Wait()
}

// resume has a suspended object go on. Git says nothing about that.
func (r *resetter) resume(ctx context.Context, o *unstructured.Unstructured) error {
	if !object.Suspended(o) {
		return nil
	}
	return object.Applying(o, r.owner.Patch(ctx, o, map[string]any{"spec": map[string]any{"suspend": nil}}))
}

// resumeAll has all Kustomizations go on before the branch moves: one that is suspended leaves what it has applied
// behind when it is removed.
func (r *resetter) resumeAll(ctx context.Context) error {
	all, err := r.kustomizations(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if r.owner.Check(ctx, o) != nil {
			continue // it is suspended for a reason of others
		}
		if err := r.resume(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// ask has Flux look at an object now.
func (r *resetter) ask(ctx context.Context, o *unstructured.Unstructured, token string) error {
	there := object.Named(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return object.Applying(o, err)
	}
	return object.Applying(o, r.owner.Patch(ctx, there, object.Request(token)))
}

// kustomizations returns the Kustomizations in Flux's namespace.
func (r *resetter) kustomizations(ctx context.Context) ([]*unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kustomizations())
	if err := r.client.List(ctx, list, client.InNamespace(demo.FluxNamespace)); err != nil {
		return nil, fmt.Errorf("listing Kustomizations: %w", err)
	}
	var all []*unstructured.Unstructured
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	return all, nil
}
