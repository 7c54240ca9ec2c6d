package live

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// fluxGroup is how the names of the groups of Flux's kinds end.
const fluxGroup = ".toolkit.fluxcd.io"

// session is a set of caches that lives until the API server goes away.
type session struct {
	w     *Watcher
	cache cache.Cache
	done  sync.WaitGroup

	mu      sync.Mutex
	kinds   map[schema.GroupVersionKind]bool // that are watched
	waiting int                              // informers whose first list is not complete
	listed  map[binding.Target]bool          // what the first lists have; nil once they are complete
}

// caches starts to watch everything, and returns what stops it.
func (w *Watcher) caches(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{w: w, kinds: map[schema.GroupVersionKind]bool{}, listed: map[binding.Target]bool{}}
	stop = func() {
		cancel()
		s.done.Wait()
	}
	gitSecret := &corev1.Secret{}
	var err error
	s.cache, err = cache.New(w.config, cache.Options{
		HTTPClient: w.http, Mapper: w.mapper,
		DefaultWatchErrorHandler: func(_ context.Context, r *toolscache.Reflector, err error) {
			if ctx.Err() == nil {
				w.opts.Logf("watching %s: %v", r.TypeDescription(), err)
			}
		},
		ByObject: map[client.Object]cache.ByObject{
			// Of this one Secret the path is kept, and nothing else.
			gitSecret: {
				Namespaces: map[string]cache.Config{"fluxdemo": {
					FieldSelector: fields.OneTermEqualSelector("metadata.name", "git"), Transform: onlyHook,
				}},
			},
		},
	})
	if err != nil { // of options, which are the same each time
		w.opts.Logf("creating the caches: %v", err)
		return stop
	}
	s.done.Go(func() {
		if err := s.cache.Start(ctx); err != nil && ctx.Err() == nil {
			w.opts.Logf("watching the cluster: %v", err)
		}
	})
	s.begin() // held until all are asked for
	s.inform(ctx, gitSecret, s.hookHandler())
	deployment := &unstructured.Unstructured{}
	deployment.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	s.inform(ctx, deployment, s.objectHandler(ctx))
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	s.inform(ctx, crd, s.crdHandler(ctx))
	s.end()
	return stop
}

func (s *session) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting++
}

// end notes that an informer has its first list. After the last one, what an earlier session knew and this one has
// not seen is gone.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting > 0 || s.listed == nil {
		return
	}
	listed := s.listed
	s.listed = nil
	s.w.tell(func(m *model, seen time.Time) {
		for t := range m.objects {
			if !listed[t] {
				m.gone(t, seen)
			}
		}
		m.health(State{Status: Ready, Message: "the API answers"}, seen)
		select {
		case <-s.w.synced:
		default:
			close(s.w.synced)
		}
	})
}

// list notes that the first lists have an object.
func (s *session) list(t binding.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listed != nil {
		s.listed[t] = true
	}
}

// inform calls a handler for all objects of a kind until ctx ends.
func (s *session) inform(ctx context.Context, o client.Object, handler toolscache.ResourceEventHandler) {
	s.begin()
	s.done.Go(func() {
		defer s.end()
		for ctx.Err() == nil {
			informer, err := s.cache.GetInformer(ctx, o, cache.BlockUntilSynced(false))
			if err == nil {
				var registered toolscache.ResourceEventHandlerRegistration
				if registered, err = informer.AddEventHandler(handler); err == nil {
					toolscache.WaitForCacheSync(ctx.Done(), registered.HasSynced)
					return
				}
			}
			// A kind whose CRD is new is not served at once, and there is nothing to watch for that.
			s.w.opts.Logf("watching %T %s: %v", o, o.GetObjectKind().GroupVersionKind().Kind, err)
			if !backoff.Pause(ctx, reconnect) {
				return
			}
		}
	})
}

// watchKind watches a kind once, until ctx ends: one of Flux's in full, any other by its metadata.
func (s *session) watchKind(ctx context.Context, kind schema.GroupVersionKind) {
	s.mu.Lock()
	known := s.kinds[kind]
	s.kinds[kind] = true
	s.mu.Unlock()
	if known {
		return
	}
	if strings.HasSuffix(kind.Group, fluxGroup) {
		if binding.Known(kind.Kind) {
			o := &unstructured.Unstructured{}
			o.SetGroupVersionKind(kind)
			s.inform(ctx, o, s.objectHandler(ctx))
			return
		}
	}
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(kind)
	s.inform(ctx, o, s.managedHandler(kind.Kind))
}

// handler calls add for what is there, or was changed, with the version before, and gone for what was deleted.
func handler[T client.Object](add func(before, now T, initial bool), gone func(T)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, initial bool) {
			if now, ok := o.(T); ok {
				var none T
				add(none, now, initial)
			}
		},
		UpdateFunc: func(old, o any) {
			before, ok := old.(T)
			if now, ok2 := o.(T); ok && ok2 && before.GetResourceVersion() != now.GetResourceVersion() {
				add(before, now, false)
			}
		},
		DeleteFunc: func(o any) {
			if final, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = final.Obj
			}
			if last, ok := o.(T); ok {
				gone(last)
			}
		},
	}
}

// objectHandler takes Flux's objects and Deployments. What they lead to is watched until ctx ends.
func (s *session) objectHandler(ctx context.Context) toolscache.ResourceEventHandler {
	return handler(func(before, now *unstructured.Unstructured, initial bool) {
		if initial {
			s.list(targetOf(now))
		}
		s.w.tell(func(m *model, seen time.Time) {
			m.known(now, initial, seen)
			if initial {
				return
			}
			if before == nil {
				m.managed(now.GetKind(), nil, now, seen)
			} else {
				m.managed(now.GetKind(), before, now, seen)
			}
		})
		if now.GetKind() == "Kustomization" {
			for _, kind := range inventory(now) {
				s.watchKind(ctx, kind)
			}
		}
	}, func(last *unstructured.Unstructured) {
		s.w.tell(func(m *model, seen time.Time) { m.gone(targetOf(last), seen) })
	})
}

// managedHandler takes the metadata of objects of a kind that Kustomizations manage.
func (s *session) managedHandler(kind string) toolscache.ResourceEventHandler {
	return handler(func(before, now *metav1.PartialObjectMetadata, initial bool) {
		if initial || owner(now) == "" {
			return
		}
		s.w.tell(func(m *model, seen time.Time) {
			if before == nil {
				m.managed(kind, nil, now, seen)
			} else {
				m.managed(kind, before, now, seen)
			}
		})
	}, func(*metav1.PartialObjectMetadata) {})
}

// crdHandler watches Flux's kinds as they come, until ctx ends.
func (s *session) crdHandler(ctx context.Context) toolscache.ResourceEventHandler {
	return handler(func(_, crd *metav1.PartialObjectMetadata, _ bool) {
		resource, group, _ := strings.Cut(crd.GetName(), ".")
		if !strings.HasSuffix(group, fluxGroup) {
			return
		}
		s.begin()
		s.done.Go(func() {
			defer s.end()
			for ctx.Err() == nil {
				kind, err := s.w.mapper.KindFor(schema.GroupVersionResource{Group: group, Resource: resource})
				if err == nil {
					if binding.Known(kind.Kind) {
						s.watchKind(ctx, kind)
					}
					return
				}
				if !backoff.Pause(ctx, reconnect) { // as in inform
					return
				}
			}
		})
	}, func(*metav1.PartialObjectMetadata) {})
}

// hookHandler takes the Secret of the Git host.
func (s *session) hookHandler() toolscache.ResourceEventHandler {
	return handler(func(_, secret *corev1.Secret, _ bool) {
		path := string(secret.Data[hookKey])
		s.w.tell(func(m *model, seen time.Time) {
			m.hookPath = path
			m.roles(seen)
		})
	}, func(*corev1.Secret) {
		s.w.tell(func(m *model, seen time.Time) { m.hookPath = "" })
	})
}

// hookKey is where the Git host's Secret has the address that its webhooks go to.
const hookKey = "webhook-url"

// onlyHook leaves of the Git host's Secret the path of that address. It may see an object twice.
func onlyHook(o any) (any, error) {
	secret, ok := o.(*corev1.Secret)
	if !ok {
		return o, nil
	}
	kept := &corev1.Secret{}
	kept.Namespace, kept.Name, kept.ResourceVersion, kept.UID = secret.Namespace, secret.Name, secret.ResourceVersion, secret.UID
	if u, err := url.Parse(string(secret.Data[hookKey])); err == nil {
		kept.Data = map[string][]byte{hookKey: []byte(u.Path)}
	}
	return kept, nil
}

// inventory lists the kinds of what a Kustomization manages.
func inventory(o *unstructured.Unstructured) []schema.GroupVersionKind {
	entries, _, _ := unstructured.NestedSlice(o.Object, "status", "inventory", "entries")
	var all []schema.GroupVersionKind
	for _, each := range entries {
		entry, _ := each.(map[string]any)
		id, _ := entry["id"].(string) // namespace_name_group_kind
		version, _ := entry["v"].(string)
		parts := strings.Split(id, "_")
		if len(parts) < 4 || version == "" {
			continue
		}
		kind := schema.GroupVersionKind{Group: parts[len(parts)-2], Version: version, Kind: parts[len(parts)-1]}
		if kind.Kind != "Deployment" && !slices.Contains(all, kind) { // those are watched anyway
			all = append(all, kind)
		}
	}
	return all
}
