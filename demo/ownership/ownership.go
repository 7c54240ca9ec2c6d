// Package ownership decides whether an object on a cluster is the demo's, and
// refuses changes to other objects. On an existing cluster, the proof is the
// UID that was recorded when the demo created the object, together with a mark
// on the object. A name proves nothing.
package ownership

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/object"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// The demo's mark. Every object that the demo creates on an existing cluster
// has the label; ssa.ResourceManager.SetOwnerLabels sets the same.
const (
	MarkLabel = markPrefix + "name"
	MarkValue = "fluxdemo"

	markPrefix = "fluxdemo.github.io/"
	// managedBy is the mark on Secrets of earlier versions.
	managedBy = "app.kubernetes.io/managed-by"
)

// Flux's own mark on what a Kustomization has applied
// (https://fluxcd.io/flux/components/kustomize/kustomizations/).
const (
	fluxName      = "kustomize.toolkit.fluxcd.io/name"
	fluxNamespace = "kustomize.toolkit.fluxcd.io/namespace"
)

// InventoryFile is the journal of the objects that the demo has created on an
// existing cluster. It is in the cluster's folder on this machine.
const InventoryFile = "inventory.jsonl"

// Object names an object in a cluster.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String returns the object's name as people write it, for example
// "app deployment/app".
func (o Object) String() string {
	name := strings.ToLower(o.Kind) + "/" + o.Name
	if o.Namespace == "" {
		return name
	}
	return o.Namespace + " " + name
}

// GroupVersionKind returns the object's kind; the group and version are empty
// if APIVersion is malformed.
func (o Object) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(o.APIVersion, o.Kind)
}

// Key identifies an object, whatever version of its API names it.
func (o Object) Key() string {
	return o.GroupVersionKind().GroupKind().String() + " " + o.Namespace + "/" + o.Name
}

// Left is an object that the demo has kept, and why.
type Left struct {
	Object
	Why string
}

func (l Left) String() string { return l.Object.String() + " (" + l.Why + ")" }

// ForeignError says that an object is not provably the demo's.
type ForeignError Left

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s is kept: %s", e.Object, e.Why)
}

// Owner knows what is the demo's on one cluster. It may be used by several
// goroutines.
type Owner struct {
	client     client.WithWatch
	kubeconfig string
	ledger     *ledger // nil where the whole cluster is the demo's

	mu      sync.Mutex
	parents map[types.NamespacedName]map[string]bool // what the demo's Kustomizations have applied
	left    []Left
	// removed are the UIDs of deleted objects of the demo: Kubernetes may
	// delete their dependents a moment later.
	removed map[types.UID]bool
}

// New returns the owner of what the demo has on the cluster. It is an error
// if the record of a demo on a cluster of others cannot be read.
func New(c client.WithWatch, cluster clusters.Cluster) (*Owner, error) {
	w := &Owner{client: c, kubeconfig: cluster.Kubeconfig(), parents: map[types.NamespacedName]map[string]bool{}, removed: map[types.UID]bool{}}
	if _, guest := cluster.(clusters.Guest); !guest {
		return w, nil
	}
	var err error
	w.ledger, err = openLedger(filepath.Join(cluster.Dir(), InventoryFile))
	return w, err
}

// Alone reports whether the whole cluster is the demo's.
func (w *Owner) Alone() bool { return w.ledger == nil }

// Recorded lists what the demo has made on a cluster of others, the first one
// first, whether it is still there or not.
func (w *Owner) Recorded() []Object {
	if w.ledger == nil {
		return nil
	}
	return w.ledger.objects()
}

// Damaged lists the lines of the record, from 1, that cannot be read. What
// they named may still be on the cluster.
func (w *Owner) Damaged() []int {
	if w.ledger == nil {
		return nil
	}
	return w.ledger.damaged
}

// Name returns an object's name.
func (w *Owner) Name(o client.Object) (Object, error) {
	gvk, err := apiutil.GVKForObject(o, w.client.Scheme())
	if err != nil {
		return Object{}, err
	}
	return Object{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName()}, nil
}

// Check returns nil if an object, as it was just read from the cluster, is
// the demo's, and a *ForeignError if that cannot be proven. An object that
// was about to be made when a crash came is taken up if it has the mark.
func (w *Owner) Check(ctx context.Context, o client.Object) error {
	if w.ledger == nil {
		return nil
	}
	name, err := w.Name(o)
	if err != nil {
		return err
	}
	foreign := func(why string) error { return &ForeignError{name, why} }
	entry, recorded := w.ledger.find(name)
	switch {
	case recorded && entry.UID == o.GetUID():
		if !entry.marks(o) {
			return foreign("the demo created it, but its mark is gone")
		}
		return nil
	case recorded && entry.UID == "" && entry.marks(o):
		// A crash came between the two records.
		return w.ledger.created(name, o.GetUID())
	}
	// What Flux has applied is the demo's if its Kustomization is. It takes
	// over what it finds, so it is no proof for what holds things of others.
	if !holdsOthers(name) {
		if err := w.applied(ctx, name, o); !isForeign(err) {
			return err
		}
	}
	switch {
	case recorded && entry.UID == "":
		return foreign("it has the name of an object of the demo, but not the demo's mark")
	case recorded:
		return foreign("the demo's object was deleted, and this one was created later")
	}
	return foreign("the demo did not create it")
}

// applied returns nil if a Kustomization of the demo has applied the object,
// else a *ForeignError.
func (w *Owner) applied(ctx context.Context, name Object, o client.Object) error {
	by := types.NamespacedName{Namespace: o.GetLabels()[fluxNamespace], Name: o.GetLabels()[fluxName]}
	self := name.Kind == "Kustomization" && by.Namespace == name.Namespace && by.Name == name.Name
	if by.Name == "" || self {
		return &ForeignError{name, "no Kustomization of the demo has applied it"}
	}
	parent := &unstructured.Unstructured{}
	parent.SetGroupVersionKind(KustomizationKind())
	err := w.client.Get(ctx, by, parent)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		// What it had applied when it was the demo's stays the demo's.
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.parents[by][name.Key()] {
			return nil
		}
		return &ForeignError{name, "its Kustomization is gone"}
	case err != nil:
		return fmt.Errorf("reading the Kustomization %s: %w", by, err)
	}
	if err := w.Check(ctx, parent); err != nil {
		return err
	}
	applied := map[string]bool{}
	for _, each := range Applied(parent) {
		applied[each.Key()] = true
	}
	w.mu.Lock()
	w.parents[by] = applied
	w.mu.Unlock()
	if !applied[name.Key()] {
		return &ForeignError{name, "it has the label of a Kustomization that did not apply it"}
	}
	return nil
}

// Applied reads what a Kustomization says that it has applied.
func Applied(kustomization *unstructured.Unstructured) []Object {
	entries, _, _ := unstructured.NestedSlice(kustomization.Object, "status", "inventory", "entries")
	var names []Object
	for _, each := range entries {
		entry, _ := each.(map[string]any)
		id, err := object.ParseObjMetadata(fmt.Sprint(entry["id"])) // for example "app_app_apps_Deployment"
		if err != nil {
			continue // of a version of Flux that we do not know
		}
		names = append(names, Object{
			APIVersion: schema.GroupVersion{Group: id.GroupKind.Group, Version: fmt.Sprint(entry["v"])}.String(),
			Kind:       id.GroupKind.Kind, Namespace: id.Namespace, Name: id.Name,
		})
	}
	return names
}

// KustomizationKind is the kind of Flux's Kustomizations.
func KustomizationKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}
}

// holdsOthers reports whether objects of this kind contain others, which are
// deleted with them.
func holdsOthers(o Object) bool {
	return slices.Contains([]string{"Namespace", "CustomResourceDefinition"}, o.Kind)
}

// marked reports whether an object has a label that only the demo sets.
func marked(o client.Object) bool {
	for name := range o.GetLabels() {
		if strings.HasPrefix(name, markPrefix) {
			return true
		}
	}
	return o.GetLabels()[managedBy] == MarkValue
}

func isForeign(err error) bool {
	var foreign *ForeignError
	return errors.As(err, &foreign)
}

// Leave takes note of an object that is left alone, if err is a
// *ForeignError, and returns any other error.
func (w *Owner) Leave(err error) error {
	var foreign *ForeignError
	if !errors.As(err, &foreign) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.ContainsFunc(w.left, func(l Left) bool { return l.Key() == foreign.Key() }) {
		w.left = append(w.left, Left(*foreign))
	}
	return nil
}

// Left lists what was left alone, in the order of its names.
func (w *Owner) Left() []Left {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(slices.Values(w.left), func(a, b Left) int { return strings.Compare(a.Key(), b.Key()) })
}
