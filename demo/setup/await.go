package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/fleet"
)

// named returns an object to wait for, with nothing but its name.
func named(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func app() *unstructured.Unstructured {
	return named(appsv1.SchemeGroupVersion.WithKind("Deployment"), AppNamespace, "app")
}

// workloads returns the Deployments among objects.
func workloads(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			found = append(found, o)
		}
	}
	return found
}

// awaitSync returns when Flux has fetched the repository and applied what the demo has begun it with. Kustomizations
// that others have put beside that are no reason to wait.
func awaitSync(ctx context.Context, c client.WithWatch, begun *fleet.Beginning) error {
	names, err := begun.Kustomizations(FluxNamespace)
	if err != nil {
		return err
	}
	all := []*unstructured.Unstructured{named(sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind), FluxNamespace, SyncName)}
	for _, name := range names {
		all = append(all, named(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), FluxNamespace, name))
	}
	return awaitReady(ctx, c, all...)
}

// awaitGone returns when an object is not there any more.
func awaitGone(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured) error {
	for {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(o.GroupVersionKind())
		watcher, err := c.Watch(ctx, list, client.InNamespace(o.GetNamespace()),
			client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", o.GetName())})
		if err != nil {
			return fmt.Errorf("watching %s: %w", key(o), err)
		}
		err = c.Get(ctx, client.ObjectKeyFromObject(o), named(o.GroupVersionKind(), o.GetNamespace(), o.GetName()))
		for gone := err != nil; !gone; {
			event, more := <-watcher.ResultChan()
			gone = !more || event.Type == watch.Deleted
		}
		watcher.Stop()
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s is being removed and still there: %w", key(o), context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("reading %s: %w", key(o), err)
		}
	}
}

// awaitReady returns when kstatus calls all objects current, or when ctx
// ends: with an error that says what is the matter with the first of them
// that is not. It watches each object.
func awaitReady(ctx context.Context, c client.WithWatch, objects ...*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, o := range objects {
		group.Go(func() error { return awaitOne(ctx, c, o) })
	}
	return group.Wait()
}

func awaitOne(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured) error {
	return awaitThat(ctx, c, o, func(*unstructured.Unstructured) bool { return true })
}

// awaitThat is as awaitReady, of one object for which holds must be true
// as well.
func awaitThat(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured, holds func(*unstructured.Unstructured) bool) error {
	last := "it does not exist"
	for {
		done, message, err := watchOne(ctx, c, o, holds)
		if done {
			return nil
		}
		if message != "" {
			last = message
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s/%s is not ready: %s (%w)", strings.ToLower(o.GetKind()), o.GetName(), last, context.Cause(ctx))
		}
		if err == nil || passing(err) {
			// The watch was closed, as the API server does from time to
			// time, or its kind is not served yet.
			timer := time.NewTimer(50 * time.Millisecond)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
			}
			continue
		}
		return fmt.Errorf("watching %s/%s: %w", strings.ToLower(o.GetKind()), o.GetName(), err)
	}
}

// watchOne watches one object until it is current and holds, or the watch ends, and
// returns what was last said of it.
func watchOne(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured, holds func(*unstructured.Unstructured) bool) (done bool, message string, err error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(o.GroupVersionKind())
	watcher, err := c.Watch(ctx, list, client.InNamespace(o.GetNamespace()),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", o.GetName())})
	if err != nil {
		return false, "", err
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		u, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == watch.Deleted {
			continue
		}
		result, err := status.Compute(u)
		if err != nil {
			return false, message, err
		}
		if current(u, result) && holds(u) {
			return true, "", nil
		}
		message = result.Message
	}
	return false, message, nil
}

// current tells whether an object is there and ready. kstatus calls an
// object current that has no conditions yet: of a Flux object that nobody
// has reconciled, that is not true.
func current(u *unstructured.Unstructured, result *status.Result) bool {
	if result.Status != status.CurrentStatus {
		return false
	}
	if !strings.HasSuffix(u.GroupVersionKind().Group, ".toolkit.fluxcd.io") {
		return true
	}
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	if err != nil {
		return false
	}
	for _, each := range conditions {
		if condition, ok := each.(map[string]any); ok && condition["type"] == "Ready" {
			return condition["status"] == "True"
		}
	}
	return false
}

// awaitPage returns when url answers 200.
func awaitPage(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	// A web page cannot be watched; the network holds each request until a
	// pod is ready, so this asks once or twice.
	for {
		err := fetch(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", url, err)
		case <-ticker.C:
		}
	}
}

// answerTime is how long one answer may take: while the ways in a cluster
// change, a request may get lost.
const answerTime = 2 * time.Second

func fetch(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: answerTime, Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is this machine
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
