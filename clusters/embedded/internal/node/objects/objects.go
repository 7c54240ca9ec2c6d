// Package objects follows the Secrets and ConfigMaps that running pods refer
// to. It opens a watch for each of them, and closes it when no pod needs it.
package objects

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
)

// requestTimeout is the deadline of a single request to the API.
const requestTimeout = 10 * time.Second

// API is what following needs of the Kubernetes API.
type API interface {
	corev1client.SecretsGetter
	corev1client.ConfigMapsGetter
}

// Objects has a watch of its own for each object: a cluster may hold
// thousands, a node needs few.
type Objects struct {
	api API

	mu      sync.Mutex
	watched map[podspec.Reference]*watchedObject
}

type watchedObject struct {
	cancel        context.CancelFunc
	subscriptions map[*Subscription]struct{}
	known, found  bool
	data          map[string][]byte
}

// New returns an Objects that follows none yet.
func New(api API) *Objects {
	return &Objects{api: api, watched: map[podspec.Reference]*watchedObject{}}
}

// Subscription is one pod's interest in some objects.
type Subscription struct {
	objects    *Objects
	references []podspec.Reference
	changed    chan struct{}
}

// Changed holds a value after any of the objects was seen or changed.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Subscribe follows objects until the subscription is closed, which its owner
// has to do when ctx ends: others may follow the same objects for longer.
func (o *Objects) Subscribe(ctx context.Context, references []podspec.Reference) *Subscription {
	s := &Subscription{objects: o, references: references, changed: make(chan struct{}, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ref := range references {
		w := o.watched[ref]
		if w == nil {
			ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
			w = &watchedObject{cancel: cancel, subscriptions: map[*Subscription]struct{}{}}
			o.watched[ref] = w
			go o.follow(ctx, ref, w)
		}
		w.subscriptions[s] = struct{}{}
	}
	return s
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.objects.mu.Lock()
	defer s.objects.mu.Unlock()
	for _, ref := range s.references {
		w := s.objects.watched[ref]
		if w == nil {
			continue
		}
		delete(w.subscriptions, s)
		if len(w.subscriptions) == 0 {
			w.cancel()
			delete(s.objects.watched, ref)
		}
	}
}

// Get returns an object's data. It is only found once it has been seen.
func (s *Subscription) Get(ref podspec.Reference) (data map[string][]byte, found bool) {
	s.objects.mu.Lock()
	defer s.objects.mu.Unlock()
	if w := s.objects.watched[ref]; w != nil && w.found {
		return w.data, true
	}
	return nil, false
}

// Wait returns when the API has answered for each of the objects, whether
// they exist or not.
func (s *Subscription) Wait(ctx context.Context) error {
	for {
		if s.known() {
			return nil
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Subscription) known() bool {
	s.objects.mu.Lock()
	defer s.objects.mu.Unlock()
	for _, ref := range s.references {
		if w := s.objects.watched[ref]; w == nil || !w.known {
			return false
		}
	}
	return true
}

// follow keeps one object up to date until ctx ends.
func (o *Objects) follow(ctx context.Context, ref podspec.Reference, w *watchedObject) {
	retry := backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for ctx.Err() == nil {
		began := time.Now()
		_ = o.listAndWatch(ctx, ref, w) // whatever went wrong, the next round repairs it
		if time.Since(began) > retry.Max {
			retry.Reset()
		}
		retry.Wait(ctx)
	}
}

func (o *Objects) listAndWatch(ctx context.Context, ref podspec.Reference, w *watchedObject) error {
	// A list rather than a get: it answers "not there" and "there" the same
	// way and gives the version to watch from.
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, ref.Name).String()
	version, data, found, err := o.list(ctx, ref, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return err
	}
	o.publish(ref, w, data, found)
	options := metav1.ListOptions{FieldSelector: selector, ResourceVersion: version}
	var watcher watch.Interface
	if ref.Kind == podspec.KindSecret {
		watcher, err = o.api.Secrets(ref.Namespace).Watch(ctx, options)
	} else {
		watcher, err = o.api.ConfigMaps(ref.Namespace).Watch(ctx, options)
	}
	if err != nil {
		return fmt.Errorf("watching %s %s/%s: %w", ref.Kind, ref.Namespace, ref.Name, err)
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, ok := <-watcher.ResultChan():
			if !ok || event.Type == watch.Error {
				return fmt.Errorf("the watch of %s %s/%s ended", ref.Kind, ref.Namespace, ref.Name)
			}
			name, data, ok := objectData(event.Object)
			if ok && name == ref.Name {
				o.publish(ref, w, data, event.Type != watch.Deleted)
			}
		}
	}
}

func (o *Objects) list(ctx context.Context, ref podspec.Reference, options metav1.ListOptions) (version string, data map[string][]byte, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if ref.Kind == podspec.KindSecret {
		list, err := o.api.Secrets(ref.Namespace).List(ctx, options)
		if err != nil {
			return "", nil, false, fmt.Errorf("reading secret %s/%s: %w", ref.Namespace, ref.Name, err)
		}
		for i := range list.Items {
			if list.Items[i].Name == ref.Name {
				_, data, found = objectData(&list.Items[i])
			}
		}
		return list.ResourceVersion, data, found, nil
	}
	list, err := o.api.ConfigMaps(ref.Namespace).List(ctx, options)
	if err != nil {
		return "", nil, false, fmt.Errorf("reading config map %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	for i := range list.Items {
		if list.Items[i].Name == ref.Name {
			_, data, found = objectData(&list.Items[i])
		}
	}
	return list.ResourceVersion, data, found, nil
}

func objectData(object any) (name string, data map[string][]byte, ok bool) {
	switch object := object.(type) {
	case *corev1.Secret:
		return object.Name, object.Data, true
	case *corev1.ConfigMap:
		data = make(map[string][]byte, len(object.Data)+len(object.BinaryData))
		for key, value := range object.Data {
			data[key] = []byte(value)
		}
		for key, value := range object.BinaryData {
			data[key] = value
		}
		return object.Name, data, true
	}
	return "", nil, false
}

func (o *Objects) publish(ref podspec.Reference, w *watchedObject, data map[string][]byte, found bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.known, w.found, w.data = true, found, nil
	if found {
		w.data = data
	}
	for s := range w.subscriptions {
		select {
		case s.changed <- struct{}{}:
		default: // it has not looked at the last change yet
		}
	}
}
