// Package informer makes handlers for client-go's informers.
package informer

import "k8s.io/client-go/tools/cache"

// OnEach returns a handler that calls f with each object that came, changed
// or went. A deletion that the watch has missed is one too.
func OnEach[T any](f func(obj T, deleted bool)) cache.ResourceEventHandler {
	call := func(obj any, deleted bool) {
		if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = last.Obj
		}
		if typed, ok := obj.(T); ok {
			f(typed, deleted)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { call(obj, false) },
		UpdateFunc: func(_, obj any) { call(obj, false) },
		DeleteFunc: func(obj any) { call(obj, true) },
	}
}
