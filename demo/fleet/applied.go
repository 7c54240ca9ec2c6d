package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// appliedTime is how long Flux may take to apply a commit that it is asked to apply.
const appliedTime = 60 * time.Second

// Applied asks Flux for the commit: first the GitRepository called name in namespace, then the Kustomizations there
// that use it. It returns when each of them has the commit, or has tried it in vain. Suspended ones are left alone.
func Applied(ctx context.Context, c client.WithWatch, namespace, name, commit string) error {
	ctx, cancel := context.WithTimeout(ctx, appliedTime)
	defer cancel()
	// The Git host's webhook asks as well, unless the walk is about a webhook that does not. And only an answer to
	// this question is known to come after what Flux is doing just now.
	token := time.Now().Format(time.RFC3339Nano)
	source := sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind)
	kustomization := kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind)
	using := func(o *unstructured.Unstructured) bool {
		from, _, _ := unstructured.NestedString(o.Object, "spec", "sourceRef", "name")
		return from == name && !suspended(o)
	}
	err := handled(ctx, c, source, namespace, token, commit,
		func(o *unstructured.Unstructured) bool { return o.GetName() == name && !suspended(o) })
	if err == nil {
		err = handled(ctx, c, kustomization, namespace, token, commit, using)
	}
	if err != nil {
		return fmt.Errorf("wait until Flux has applied the commit %s: %w", commit, err)
	}
	return nil
}

// handled asks the objects that concern it, and waits until they have answered.
func handled(ctx context.Context, c client.WithWatch, kind schema.GroupVersionKind, namespace, token, commit string, concerns func(*unstructured.Unstructured) bool) error {
	ask := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, meta.ReconcileRequestAnnotation, token))
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	for {
		watcher, err := c.Watch(ctx, list, client.InNamespace(namespace))
		if err != nil {
			return err
		}
		last, err := follow(ctx, c, watcher, list.DeepCopy(), namespace, func(o *unstructured.Unstructured) (string, error) {
			if !concerns(o) {
				return "", nil
			}
			if o.GetAnnotations()[meta.ReconcileRequestAnnotation] < token {
				return "it was not asked", c.Patch(ctx, o.DeepCopy(), ask)
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

// follow looks at all objects whenever one of them has changed, until check has nothing to say about any.
func follow(ctx context.Context, c client.Client, watcher watch.Interface, list *unstructured.UnstructuredList, namespace string, check func(*unstructured.Unstructured) (string, error)) (last string, err error) {
	for {
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return last, err
		}
		last = ""
		for i := range list.Items {
			o := &list.Items[i]
			why, err := check(o)
			if err != nil {
				return last, err
			}
			if why != "" {
				last = fmt.Sprintf("%s %s: %s", o.GetKind(), o.GetName(), why)
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
	text := func(path ...string) string {
		s, _, _ := unstructured.NestedString(o.Object, path...)
		return s
	}
	if text("status", "lastHandledReconcileAt") < token {
		return "it has not looked again"
	}
	for _, revision := range []string{text("status", "artifact", "revision"), text("status", "lastAppliedRevision")} {
		if strings.HasSuffix(revision, commit) {
			return ""
		}
	}
	if strings.HasSuffix(text("status", "lastAttemptedRevision"), commit) && ready(o) == "False" {
		return "" // that commit is as bad as it was
	}
	return "it is at " + text("status", "lastAppliedRevision") + text("status", "artifact", "revision")
}

func suspended(o *unstructured.Unstructured) bool {
	is, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	return is
}

// ready returns the status of the object's condition Ready.
func ready(o *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, each := range conditions {
		if condition, ok := each.(map[string]any); ok && condition["type"] == "Ready" {
			status, _ := condition["status"].(string)
			return status
		}
	}
	return ""
}
