package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// appliedTime is how long Flux may take to apply a commit that it is asked to apply.
const appliedTime = 60 * time.Second

// Followers are the Kustomizations that use one GitRepository, in its namespace.
type Followers struct {
	Client          client.WithWatch
	Namespace, Name string // of the GitRepository
	// Ours reports whether the demo may ask an object to reconcile; others are neither asked nor waited for. nil means that
	// all are the demo's.
	Ours func(*unstructured.Unstructured) bool
}

// States returns why each Kustomization is not ready, by its name such as "kustomization/apps"; "" for one that is.
// One that reconciles counts as before. Suspended ones are left out, because nothing waits for them.
func (f Followers) States(ctx context.Context) (map[string]string, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind))
	if err := f.Client.List(ctx, list, client.InNamespace(f.Namespace)); err != nil {
		return nil, fmt.Errorf("listing the Kustomizations in %s: %w", f.Namespace, err)
	}
	states := map[string]string{}
	for i := range list.Items {
		if o := &list.Items[i]; f.concerns(o) {
			states[name(o)] = unready(o)
		}
	}
	return states, nil
}

// concerns reports whether a Kustomization uses the source and is not suspended.
func (f Followers) concerns(o *unstructured.Unstructured) bool {
	text := func(field string) string { return object.Text(o, "spec", "sourceRef", field) }
	return text("kind") == sourcev1.GitRepositoryKind && text("name") == f.Name &&
		(text("namespace") == "" || text("namespace") == f.Namespace) && !object.Suspended(o) && f.ours(o)
}

func (f Followers) ours(o *unstructured.Unstructured) bool { return f.Ours == nil || f.Ours(o) }

// Applied asks Flux for the commit: first the GitRepository, then the Kustomizations that use it. It returns when each
// of them has the commit, or has failed with it. It skips suspended ones. before is what States returned earlier: Applied
// does not wait for what was not ready then, for what depends on that, and for what was created since without Git. nil
// waits for all.
func (f Followers) Applied(ctx context.Context, commit string, before map[string]string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, appliedTime, fmt.Errorf("not done after %s", appliedTime))
	defer cancel()
	// The Git host's webhook asks as well, unless the walk is about a webhook that does not. And only an answer to
	// this question is known to come after what Flux is doing just now.
	token := time.Now().Format(time.RFC3339Nano)
	err := f.handled(ctx, sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind), token, commit,
		func(all []*unstructured.Unstructured) []*unstructured.Unstructured {
			for _, o := range all {
				if o.GetName() == f.Name && !object.Suspended(o) && f.ours(o) {
					return []*unstructured.Unstructured{o}
				}
			}
			return nil
		})
	if err == nil {
		err = f.handled(ctx, kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), token, commit,
			func(all []*unstructured.Unstructured) []*unstructured.Unstructured { return f.awaited(all, before) })
	}
	if err != nil {
		return fmt.Errorf("waiting until Flux has applied the commit %s: %w", commit, err)
	}
	return nil
}

// awaited returns those among all Kustomizations that will have the commit.
func (f Followers) awaited(all []*unstructured.Unstructured, before map[string]string) []*unstructured.Unstructured {
	hopeless := map[string]bool{} // Kustomizations not to wait for, by name
	there := map[string]*unstructured.Unstructured{}
	var awaited []*unstructured.Unstructured
	for _, o := range all {
		there[o.GetName()] = o
		if !f.concerns(o) {
			continue
		}
		why, known := before[name(o)]
		switch {
		case before != nil && why != "":
			hopeless[o.GetName()] = true
		case before != nil && !known && o.GetLabels()[kustomizev1.GroupVersion.Group+"/name"] == "":
		default:
			awaited = append(awaited, o)
		}
	}
	// What depends on one of those cannot go on either.
	for found := true; found; {
		found = false
		awaited = slices.DeleteFunc(awaited, func(o *unstructured.Unstructured) bool {
			waits := slices.ContainsFunc(dependencies(o), func(on string) bool {
				return hopeless[on] || before != nil && there[on] == nil
			})
			if waits {
				hopeless[o.GetName()], found = true, true
			}
			return waits
		})
	}
	return awaited
}

// dependencies returns the names of the Kustomizations in its own namespace that one depends on.
func dependencies(o *unstructured.Unstructured) []string {
	var names []string
	for _, on := range object.DependsOn(o) {
		if on.Namespace == o.GetNamespace() {
			names = append(names, on.Name)
		}
	}
	return names
}

// handled asks the objects that pick picks among those of a kind, and waits until they have answered.
func (f Followers) handled(ctx context.Context, kind schema.GroupVersionKind, token, commit string, pick func([]*unstructured.Unstructured) []*unstructured.Unstructured) error {
	return object.Follow(ctx, f.Client, kind, f.Namespace, func(all []*unstructured.Unstructured) (string, error) {
		waits := ""
		for _, o := range pick(all) {
			why := behind(o, token, commit)
			switch {
			case o.GetDeletionTimestamp() != nil:
				why = "Flux is removing it"
			case object.Requested(o) < token:
				// It may be gone by now: Flux removes what Git no longer has.
				if err := client.IgnoreNotFound(object.Ask(ctx, f.Client, o, token)); err != nil {
					return "", err
				}
				why = "Flux has not received the request"
			}
			if why != "" {
				waits = fmt.Sprintf("%s: %s", name(o), why)
			}
		}
		return waits, nil
	})
}

// behind says why an object is not at the commit yet, "" when it is.
func behind(o *unstructured.Unstructured, token, commit string) string {
	if object.Handled(o) < token {
		return "it has not reconciled again"
	}
	for _, revision := range []string{object.Stored(o), object.Applied(o)} {
		if strings.HasSuffix(revision, commit) {
			return ""
		}
	}
	if strings.HasSuffix(object.Attempted(o), commit) && object.Condition(o, meta.ReadyCondition).Status == metav1.ConditionFalse {
		return "" // that commit is as bad as it was
	}
	return "it is at " + object.Applied(o) + object.Stored(o)
}

// name returns the object's name as kubectl writes it, for example kustomization/apps.
func name(o *unstructured.Unstructured) string {
	return strings.ToLower(o.GetKind()) + "/" + o.GetName()
}

// unready says in one line why a Kustomization is not ready, "" if it is. While it is at work its condition says
// nothing, so then it is what the last time has come to.
func unready(o *unstructured.Unstructured) string {
	ready := object.Condition(o, meta.ReadyCondition)
	message := object.Brief(ready.Message)
	switch ready.Status {
	case metav1.ConditionTrue:
		return ""
	case metav1.ConditionFalse:
		return cmp.Or(message, "it is not ready")
	}
	history, _, _ := unstructured.NestedSlice(o.Object, "status", "history")
	if len(history) == 0 {
		return "it has never been applied"
	}
	latest, _ := history[0].(map[string]any)
	if result, _ := latest["lastReconciledStatus"].(string); result != meta.ReconciliationSucceededReason {
		return cmp.Or(result, message, "it has never been ready")
	}
	return ""
}

// kustomizationsIn returns the Kustomizations of Flux in a YAML file, up to the first document that cannot be read.
func kustomizationsIn(raw []byte) ([]metav1.ObjectMeta, error) {
	var all []metav1.ObjectMeta
	for _, d := range object.Documents(raw) {
		if d.Err != nil {
			return all, d.Err
		}
		if gvk := d.Meta.GroupVersionKind(); gvk.Group == kustomizev1.GroupVersion.Group && gvk.Kind == kustomizev1.KustomizationKind {
			all = append(all, d.Meta.ObjectMeta)
		}
	}
	return all, nil
}
