package reset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/strays"
)

// strays removes what walks have created outside of Git, anywhere, and what is in the fleet's namespaces and not in Git.
// It keeps everything else that people have created since up, because it may be work that they want, and takes note of
// it. A namespace stands for what it holds.
//
// On a cluster of others, what people create is none of the demo's business.
func (r *resetter) strays(ctx context.Context) error {
	if !r.owner.Alone() {
		return nil
	}
	config, err := demo.Config(r.cluster.Kubeconfig())
	if err != nil {
		return err
	}
	begun := &corev1.Namespace{}
	if err := r.client.Get(ctx, client.ObjectKey{Name: demo.DemoNamespace}, begun); err != nil {
		return fmt.Errorf("reading when the demo began: %w", err)
	}
	found, err := strays.Find(ctx, config, begun.CreationTimestamp.Time, func(o *strays.Object) bool {
		return o.Labels[fluxGroup+"name"] != "" && r.applied[object.Key(full(o))]
	})
	if err != nil {
		return err
	}
	remove, keep := sorted(found)
	for _, o := range keep {
		r.keep(o.name, o.why)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(apply.Parallel)
	for _, o := range remove {
		group.Go(func() error { return r.remove(ctx, full(o)) })
	}
	return group.Wait()
}

// kept is an object to keep, and why.
type kept struct {
	name ownership.Object
	why  string
}

// sorted says what to remove of what people have created, and what to keep.
func sorted(found []*strays.Object) (remove []*strays.Object, keep []kept) {
	namespaces := map[string]*strays.Object{} // those that people have created
	held := map[string]int{}
	for _, o := range found {
		if o.Kind == "Namespace" {
			namespaces[o.Name] = o
		}
		held[o.Namespace]++
	}
	for _, o := range found {
		name := ownership.Object{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		fleets := slices.Contains(fleetNamespaces(), o.Namespace)
		flux := strings.HasSuffix(o.GroupVersionKind().Group, ".toolkit.fluxcd.io")
		switch {
		case namespaces[o.Namespace] != nil: // it stays or goes with that
		case o.Labels[demo.WalkLabel] != "", fleets:
			remove = append(remove, o)
		case flux && o.Namespace == demo.FluxNamespace: // strangers removes it
		case o.Kind == "Namespace":
			keep = append(keep, kept{name, holding(held[o.Name])})
		default:
			keep = append(keep, kept{name, "fluxdemo did not create it"})
		}
	}
	return remove, keep
}

// holding says how much a namespace holds.
func holding(n int) string {
	switch n {
	case 0:
		return "fluxdemo did not create it"
	case 1:
		return "fluxdemo did not create it; it holds 1 object"
	}
	return fmt.Sprintf("fluxdemo did not create it; it holds %d objects", n)
}

// full returns an object of any kind with the metadata that was found.
func full(o *strays.Object) *unstructured.Unstructured {
	u := object.Named(o.GroupVersionKind(), o.Namespace, o.Name)
	u.SetUID(o.UID)
	u.SetLabels(o.Labels)
	u.SetFinalizers(o.Finalizers)
	return u
}

// remove removes an object, and waits until it is gone. It does not wait for a namespace: Kubernetes takes five seconds
// for each, and walks wait for theirs. Nor does it wait for an object with a finalizer of a program that the demo does
// not have: it takes note of it.
func (r *resetter) remove(ctx context.Context, o *unstructured.Unstructured) error {
	if o.GetKind() == "Namespace" {
		return r.owner.Leave(r.owner.Delete(ctx, o, metav1.DeletePropagationBackground))
	}
	i := slices.IndexFunc(o.GetFinalizers(), foreign)
	if i < 0 {
		return r.owner.Leave(r.owner.Remove(ctx, o))
	}
	if err := r.owner.Delete(ctx, o, metav1.DeletePropagationBackground); err != nil {
		return r.owner.Leave(err)
	}
	name, err := r.owner.Name(o)
	if err == nil {
		r.keep(name, "it is being deleted, and waits for its finalizer "+o.GetFinalizers()[i])
	}
	return err
}

// foreign reports whether nothing in a demo's cluster removes a finalizer.
func foreign(finalizer string) bool {
	return finalizer != "foregroundDeletion" && finalizer != "orphan" && !strings.HasPrefix(finalizer, "kubernetes") &&
		!strings.Contains(finalizer, "fluxcd.io") && !strings.Contains(finalizer, ".kubernetes.io/")
}

// keep takes note of an object that stays.
func (r *resetter) keep(name ownership.Object, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.kept, func(l ownership.Left) bool { return l.Key() == name.Key() }) {
		r.kept = append(r.kept, ownership.Left{Object: name, Why: why})
	}
}
