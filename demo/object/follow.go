package object

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lookAgain is how often Follow looks without a change: the connection of a watch may be dead without a word.
const lookAgain = 250 * time.Millisecond

// errClosed says that the API server has closed the watch, as it does from time to time.
var errClosed = errors.New("the watch was closed")

// Follow returns when look waits for nothing more. It calls look with all objects of a kind in a namespace, and again
// whenever one of them has changed or is gone. look returns what it still waits for, for example "kustomization/apps: it
// has not reconciled again", or "". If ctx ends first, that is the error.
func Follow(ctx context.Context, c client.WithWatch, kind schema.GroupVersionKind, namespace string, look func([]*unstructured.Unstructured) (string, error)) error {
	last := ""
	for {
		waits, err := follow(ctx, c, kind, namespace, look)
		if waits != "" {
			last = waits
		}
		switch {
		case ctx.Err() != nil && last != "":
			return fmt.Errorf("%s (%w)", last, context.Cause(ctx))
		case !errors.Is(err, errClosed):
			return err
		}
	}
}

// follow is Follow until the watch is closed. It also returns what was waited for last.
func follow(ctx context.Context, c client.WithWatch, kind schema.GroupVersionKind, namespace string, look func([]*unstructured.Unstructured) (string, error)) (waits string, err error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind)
	// It begins before the first look, so that no change is missed.
	watcher, err := c.Watch(ctx, list.DeepCopy(), client.InNamespace(namespace))
	if err != nil {
		return "", fmt.Errorf("watching each %s in the namespace %s: %w", kind.Kind, namespace, err)
	}
	defer watcher.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return waits, fmt.Errorf("listing each %s in the namespace %s: %w", kind.Kind, namespace, err)
		}
		var all []*unstructured.Unstructured
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
		if waits, err = look(all); err != nil || waits == "" {
			return waits, err
		}
		select {
		case _, more := <-watcher.ResultChan():
			if !more {
				return waits, errClosed
			}
		case <-again.C:
		case <-ctx.Done():
			return waits, context.Cause(ctx)
		}
	}
}
