package load

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Observer sees each change of the tenants' Kustomizations.
type Observer struct {
	mu      sync.Mutex
	objects map[types.NamespacedName]seen
	ready   map[string]int       // by kind, Quiet or Heavy
	busy    map[string]int       // by kind
	handled map[string]time.Time // when the answer to a token was seen
	changed chan struct{}        // closed at the next change
}

// seen is what is known of one Kustomization.
type seen struct {
	kind  string
	ready bool
	busy  bool // its controller waits until what it has applied is ready
}

// Observe follows the Kustomizations with Label, of all kinds, until ctx
// ends, and returns when it knows those that are there.
func Observe(ctx context.Context, c client.WithWatch) (*Observer, error) {
	o := &Observer{
		objects: map[types.NamespacedName]seen{}, ready: map[string]int{}, busy: map[string]int{}, handled: map[string]time.Time{}, changed: make(chan struct{}),
	}
	options := func(given metav1.ListOptions) []client.ListOption {
		return []client.ListOption{client.HasLabels{Label}, &client.ListOptions{Raw: &given}}
	}
	// The informer tries for ever; what cannot work should be known at once.
	if err := c.List(ctx, &kustomizev1.KustomizationList{}, client.HasLabels{Label}, client.Limit(1)); err != nil {
		return nil, fmt.Errorf("listing the tenants' Kustomizations: %w", err)
	}
	source := &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, given metav1.ListOptions) (runtime.Object, error) {
			list := &kustomizev1.KustomizationList{}
			return list, c.List(ctx, list, options(given)...)
		},
		WatchFuncWithContext: func(ctx context.Context, given metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, &kustomizev1.KustomizationList{}, options(given)...)
		},
	}
	_, informer := toolscache.NewInformerWithOptions(toolscache.InformerOptions{
		ListerWatcher: source,
		ObjectType:    &kustomizev1.Kustomization{},
		Handler: toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(is any) { o.see(is, false) },
			UpdateFunc: func(_, is any) { o.see(is, false) },
			DeleteFunc: func(was any) {
				if tombstone, ok := was.(toolscache.DeletedFinalStateUnknown); ok {
					was = tombstone.Obj
				}
				o.see(was, true)
			},
		},
		Transform: small,
	})
	go informer.RunWithContext(ctx)
	if !toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, fmt.Errorf("watching the tenants' Kustomizations: %w", context.Cause(ctx))
	}
	return o, nil
}

// small keeps what is looked at: ten thousand Kustomizations with inventories
// and field managers are a lot of memory.
func small(o any) (any, error) {
	if k, ok := o.(*kustomizev1.Kustomization); ok {
		k.ManagedFields = nil
		k.Status.Inventory = nil
		k.Status.History = nil
	}
	return o, nil
}

func (o *Observer) see(object any, gone bool) {
	k, ok := object.(*kustomizev1.Kustomization)
	if !ok {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	name := client.ObjectKeyFromObject(k)
	was := o.objects[name]
	if was.ready {
		o.ready[was.kind]--
	}
	if was.busy {
		o.busy[was.kind]--
	}
	if gone {
		delete(o.objects, name)
	} else {
		now := seen{
			kind:  k.Labels[Label],
			ready: meta.IsStatusConditionTrue(k.Status.Conditions, fluxmeta.ReadyCondition) && k.Status.ObservedGeneration == k.Generation,
			busy:  waits(k),
		}
		o.objects[name] = now
		if now.ready {
			o.ready[now.kind]++
		}
		if now.busy {
			o.busy[now.kind]++
		}
		if token := k.Status.LastHandledReconcileAt; token != "" {
			key := name.String() + " " + token
			if _, known := o.handled[key]; !known {
				o.handled[key] = time.Now()
			}
		}
	}
	close(o.changed)
	o.changed = make(chan struct{})
}

// waits reports whether a Kustomization's controller is waiting for what it has
// applied. Only the message of its condition shows that.
func waits(k *kustomizev1.Kustomization) bool {
	c := meta.FindStatusCondition(k.Status.Conditions, fluxmeta.ReconcilingCondition)
	return c != nil && c.Status == metav1.ConditionTrue && strings.HasPrefix(c.Message, "Running health checks")
}

// Ready is how many Kustomizations of a kind are ready.
func (o *Observer) Ready(kind string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ready[kind]
}

// AwaitReady returns when n Kustomizations of a kind are ready. It calls
// progress at each change.
func (o *Observer) AwaitReady(ctx context.Context, kind string, n int, progress func(ready int)) error {
	return o.await(ctx, o.ready, kind, n, "ready", progress)
}

// AwaitBusy returns when n Kustomizations of a kind keep a worker of their
// controller busy, waiting for what they have applied.
func (o *Observer) AwaitBusy(ctx context.Context, kind string, n int, progress func(busy int)) error {
	return o.await(ctx, o.busy, kind, n, "busy", progress)
}

func (o *Observer) await(ctx context.Context, count map[string]int, kind string, n int, what string, progress func(int)) error {
	for {
		o.mu.Lock()
		now, changed := count[kind], o.changed
		o.mu.Unlock()
		progress(now)
		if now >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d Kustomizations are %s: %w", now, n, what, context.Cause(ctx))
		}
	}
}

// AwaitHandled returns when it was seen that a Kustomization's controller has
// done what was asked for with token.
func (o *Observer) AwaitHandled(ctx context.Context, name types.NamespacedName, token string) (time.Time, error) {
	key := name.String() + " " + token
	for {
		o.mu.Lock()
		at, handled := o.handled[key]
		changed := o.changed
		o.mu.Unlock()
		if handled {
			return at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s has not been reconciled: %w", name, context.Cause(ctx))
		}
	}
}
