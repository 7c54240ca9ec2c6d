package object

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/meta"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
)

// AwaitReady returns when kstatus calls all objects current, or when ctx
// ends: with an error that says what is the matter with the first of them
// that is not. It watches each object.
func AwaitReady(ctx context.Context, c client.WithWatch, objects ...*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, o := range objects {
		group.Go(func() error { return awaitOne(ctx, c, o) })
	}
	return group.Wait()
}

func awaitOne(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured) error {
	return Await(ctx, c, o, func(*unstructured.Unstructured) bool { return true })
}

// Await is as AwaitReady, of one object for which holds must be true
// as well.
func Await(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured, holds func(*unstructured.Unstructured) bool) error {
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
		if err == nil || Passing(err) {
			// The watch was closed, as the API server does from time to
			// time, or its kind is not served yet.
			backoff.Pause(ctx, 50*time.Millisecond)
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
		message = Brief(result.Message)
	}
	return false, message, nil
}

// Unready returns why an object is not ready, in one line, or "" if kstatus calls it current.
func Unready(o *unstructured.Unstructured) (string, error) {
	result, err := status.Compute(o)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the state of %s: %w", Key(o), err)
	case current(o, result):
		return "", nil
	}
	return cmp.Or(Brief(result.Message), "it is not ready"), nil
}

// current reports whether an object is there and ready. kstatus calls an
// object current that has no conditions yet. That is wrong for a Flux object
// that has not been reconciled.
func current(u *unstructured.Unstructured, result *status.Result) bool {
	if result.Status != status.CurrentStatus {
		return false
	}
	if !strings.HasSuffix(u.GroupVersionKind().Group, ".toolkit.fluxcd.io") {
		return true
	}
	return Condition(u, meta.ReadyCondition).Status == metav1.ConditionTrue
}

// AwaitGone returns when an object is not there any more.
func AwaitGone(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured) error {
	for {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(o.GroupVersionKind())
		watcher, err := c.Watch(ctx, list, client.InNamespace(o.GetNamespace()),
			client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", o.GetName())})
		if err != nil {
			return fmt.Errorf("watching %s: %w", Key(o), err)
		}
		err = c.Get(ctx, client.ObjectKeyFromObject(o), Named(o.GroupVersionKind(), o.GetNamespace(), o.GetName()))
		for gone := err != nil; !gone; {
			event, more := <-watcher.ResultChan()
			gone = !more || event.Type == watch.Deleted
		}
		watcher.Stop()
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s is being deleted and still exists: %w", Key(o), context.Cause(ctx))
		case err != nil:
			return fmt.Errorf("reading %s: %w", Key(o), err)
		}
	}
}
