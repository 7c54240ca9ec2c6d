package fleet

import (
	"cmp"
	"context"
	"errors"
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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// appliedTime is how long Flux may take to apply a commit that it is asked to apply.
const appliedTime = 60 * time.Second

// Followers are the Kustomizations that use one GitRepository, in its namespace.
type Followers struct {
	Client          client.WithWatch
	Namespace, Name string // of the GitRepository
	// Ours tells whether the demo may ask an object to reconcile; others are neither asked nor waited for. nil means that
	// all are the demo's.
	Ours func(*unstructured.Unstructured) bool
}

// States returns why each Kustomization is not ready, by its name such as "kustomization/apps"; "" for one that is.
// One that is at work counts as it was the last time. Suspended ones are left out: nobody waits for them.
func (f Followers) States(ctx context.Context) (map[string]string, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind))
	if err := f.Client.List(ctx, list, client.InNamespace(f.Namespace)); err != nil {
		return nil, fmt.Errorf("list the Kustomizations in %s: %w", f.Namespace, err)
	}
	states := map[string]string{}
	for i := range list.Items {
		if o := &list.Items[i]; f.concerns(o) {
			states[name(o)] = unready(o)
		}
	}
	return states, nil
}

// concerns tells whether a Kustomization uses the source, and somebody may wait for it.
func (f Followers) concerns(o *unstructured.Unstructured) bool {
	text := func(field string) string {
		s, _, _ := unstructured.NestedString(o.Object, "spec", "sourceRef", field)
		return s
	}
	return text("kind") == sourcev1.GitRepositoryKind && text("name") == f.Name &&
		(text("namespace") == "" || text("namespace") == f.Namespace) && !object.Suspended(o) && f.ours(o)
}

func (f Followers) ours(o *unstructured.Unstructured) bool { return f.Ours == nil || f.Ours(o) }

// Applied asks Flux for the commit: first the GitRepository, then the Kustomizations that use it. It returns when each
// of them has the commit, or has tried it in vain. Suspended ones are left alone. before is what States returned at an
// earlier moment: what was not ready then is not waited for, nor what waits for that, nor what somebody has made since
// without Git. nil waits for all.
func (f Followers) Applied(ctx context.Context, commit string, before map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, appliedTime)
	defer cancel()
	// The Git host's webhook asks as well, unless the walk is about a webhook that does not. And only an answer to
	// this question is known to come after what Flux is doing just now.
	token := time.Now().Format(time.RFC3339Nano)
	err := f.handled(ctx, sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind), token, commit,
		func(all []unstructured.Unstructured) []*unstructured.Unstructured {
			for i := range all {
				if o := &all[i]; o.GetName() == f.Name && !object.Suspended(o) && f.ours(o) {
					return []*unstructured.Unstructured{o}
				}
			}
			return nil
		})
	if err == nil {
		err = f.handled(ctx, kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), token, commit,
			func(all []unstructured.Unstructured) []*unstructured.Unstructured { return f.awaited(all, before) })
	}
	if err != nil {
		return fmt.Errorf("wait until Flux has applied the commit %s: %w", commit, err)
	}
	return nil
}

// awaited returns those among all Kustomizations that will have the commit.
func (f Followers) awaited(all []unstructured.Unstructured, before map[string]string) []*unstructured.Unstructured {
	hopeless := map[string]bool{} // that nobody waits for, by name
	there := map[string]*unstructured.Unstructured{}
	var awaited []*unstructured.Unstructured
	for i := range all {
		o := &all[i]
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
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "dependsOn")
	for _, each := range list {
		on, _ := each.(map[string]any)
		if namespace, _ := on["namespace"].(string); namespace == "" || namespace == o.GetNamespace() {
			name, _ := on["name"].(string)
			names = append(names, name)
		}
	}
	return names
}

// handled asks the objects that pick picks among those of a kind, and waits until they have answered.
func (f Followers) handled(ctx context.Context, kind schema.GroupVersionKind, token, commit string, pick func([]unstructured.Unstructured) []*unstructured.Unstructured) error {
	ask := func(o *unstructured.Unstructured) error {
		// The UID holds it to the object that was looked at: the server refuses to change it.
		patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, o.GetUID(), meta.ReconcileRequestAnnotation, token)
		return f.Client.Patch(ctx, o.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	for {
		watcher, err := f.Client.Watch(ctx, list, client.InNamespace(f.Namespace))
		if err != nil {
			return err
		}
		last, err := follow(ctx, f.Client, watcher, list.DeepCopy(), f.Namespace, pick, func(o *unstructured.Unstructured) (string, error) {
			if object.Requested(o) < token {
				// Somebody may remove it right now, as Flux does with what Git no longer has.
				return "it was not asked", client.IgnoreNotFound(ask(o))
			}
			return behind(o, token, commit), nil
		})
		watcher.Stop()
		if ctx.Err() != nil && last != "" {
			return fmt.Errorf("%s (%w)", last, ctx.Err())
		}
		if !errors.Is(err, errClosed) {
			return err
		}
	}
}

// errClosed says that the API server has closed the watch, as it does from time to time.
var errClosed = errors.New("the watch was closed")

// follow looks at all objects whenever one of them has changed, until check has nothing to say about any that pick
// picks.
func follow(ctx context.Context, c client.Client, watcher watch.Interface, list *unstructured.UnstructuredList, namespace string,
	pick func([]unstructured.Unstructured) []*unstructured.Unstructured, check func(*unstructured.Unstructured) (string, error),
) (last string, err error) {
	for {
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return last, err
		}
		last = ""
		for _, o := range pick(list.Items) {
			why, err := check(o)
			if err != nil {
				return last, err
			}
			if why != "" {
				last = fmt.Sprintf("%s: %s", name(o), why)
			}
		}
		if last == "" {
			return "", nil
		}
		select {
		case _, more := <-watcher.ResultChan():
			if !more {
				return last, errClosed
			}
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
}

// behind says why an object is not at the commit yet, "" when it is.
func behind(o *unstructured.Unstructured, token, commit string) string {
	if object.Handled(o) < token {
		return "it has not looked again"
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
	message := strings.Join(strings.Fields(ready.Message), " ")
	switch ready.Status {
	case metav1.ConditionTrue:
		return ""
	case metav1.ConditionFalse:
		return cmp.Or(message, "it is not ready")
	}
	history, _, _ := unstructured.NestedSlice(o.Object, "status", "history")
	if len(history) == 0 {
		return "it was never applied"
	}
	latest, _ := history[0].(map[string]any)
	if result, _ := latest["lastReconciledStatus"].(string); result != meta.ReconciliationSucceededReason {
		return cmp.Or(result, message, "it was never ready")
	}
	return ""
}
