package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// target names the objects to watch: all of a kind in a namespace, or one.
type target struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

func nodes() target {
	return target{resource: schema.GroupVersionResource{Version: "v1", Resource: "nodes"}}
}

func service(namespace, name string) target {
	return target{schema.GroupVersionResource{Version: "v1", Resource: "services"}, namespace, name}
}

func deployment(namespace, name string) target {
	return target{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, namespace, name}
}

func kustomizations(name string) target {
	return target{schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}, "flux-system", name}
}

func receivers() target {
	return target{schema.GroupVersionResource{Group: "notification.toolkit.fluxcd.io", Version: "v1", Resource: "receivers"}, "flux-system", "flux-system"}
}

func gitRepository() target {
	return target{schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}, "flux-system", "flux-system"}
}

// pollInterval is how often something is asked that cannot be watched: a
// server that is not there yet, or a web page.
const pollInterval = 20 * time.Millisecond

// follow calls each with every state of the target, and when it was seen,
// until each returns true or ctx ends. The kubeconfig, the API server and
// the kind may come into being later; the watch may break.
func follow(ctx context.Context, kubeconfig string, t target, each func(*unstructured.Unstructured, time.Time) bool) error {
	var last error
	for {
		done, err := followOnce(ctx, kubeconfig, t, each)
		if done {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		if !backoff.Pause(ctx, pollInterval) {
			if last != nil {
				return fmt.Errorf("watching %s: %w (%w)", t.resource.Resource, context.Cause(ctx), last)
			}
			return fmt.Errorf("watching %s: %w", t.resource.Resource, context.Cause(ctx))
		}
	}
}

func followOnce(ctx context.Context, kubeconfig string, t target, each func(*unstructured.Unstructured, time.Time) bool) (bool, error) {
	// Read again each time: an up on kept data may write a new one.
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return false, err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return impatient{next} })
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return false, err
	}
	list := metav1.ListOptions{}
	if t.name != "" {
		list.FieldSelector = fields.OneTermEqualSelector("metadata.name", t.name).String()
	}
	// A watch without a resource version starts with what is there.
	watcher, err := client.Resource(t.resource).Namespace(t.namespace).Watch(ctx, list)
	if err != nil {
		return false, err
	}
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		now := time.Now()
		u, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == watch.Deleted || event.Type == watch.Error {
			continue
		}
		if each(u, now) {
			return true, nil
		}
	}
	return false, nil
}

// impatient hides Retry-After: an API server whose cache for a new kind is
// not filled yet answers 429 and says "in a second", client-go sleeps that
// second without telling, and a figure would be late by as much.
type impatient struct{ next http.RoundTripper }

func (i impatient) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := i.next.RoundTrip(request)
	if response != nil {
		response.Header.Del("Retry-After")
	}
	return response, err
}

// await returns when a state of the target satisfies is, and that time.
func await(ctx context.Context, kubeconfig string, t target, is func(*unstructured.Unstructured) bool) (time.Time, error) {
	var at time.Time
	err := follow(ctx, kubeconfig, t, func(u *unstructured.Unstructured, now time.Time) bool {
		at = now
		return is(u)
	})
	return at, err
}

// ready reports whether the condition Ready is True.
func ready(u *unstructured.Unstructured) bool {
	return object.Condition(u, meta.ReadyCondition).Status == metav1.ConditionTrue
}

// rolledOut reports whether a Deployment has nothing but new, available pods.
func rolledOut(u *unstructured.Unstructured) bool {
	r := object.RolloutOf(u)
	return r.Done() && r.Total == r.Wanted && r.Available == r.Wanted
}

// poll calls try until it returns nil. It is for what cannot be watched.
func poll(ctx context.Context, try func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
