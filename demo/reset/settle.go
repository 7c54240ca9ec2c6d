package reset

import (
	"context"
	"slices"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// How long a Kustomization that is not as it should be may rest before it is asked again. Flux itself would let it rest
// for its retry interval or, if something was deleted behind its back, for its whole interval.
const (
	idleTime  = time.Second            // the new artifact may be about to wake it
	retryTime = 200 * time.Millisecond // it has tried, and failed
)

// reconcile waits until Flux has applied the beginning, after everything that was tidied up, and has removed what was
// in Git beside it.
func (r *resetter) reconcile(ctx context.Context) error {
	if err := r.apply(ctx, isKustomization); err != nil {
		return err
	}
	s := &settling{resetter: r, token: time.Now().Format(time.RFC3339Nano), rests: map[string]time.Time{}}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, name := range r.names {
		// The new artifact wakes the others. One that stood at the beginning all the time has to be asked.
		if r.stood[name] {
			o := object.Named(kustomizations(), demo.FluxNamespace, name)
			group.Go(func() error { return client.IgnoreNotFound(r.ask(groupCtx, o, s.token)) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	err := object.Follow(ctx, r.client, kustomizations(), demo.FluxNamespace, func(all []*unstructured.Unstructured) (string, error) {
		return s.look(ctx, all)
	})
	if err != nil {
		return err
	}
	return object.AwaitReady(ctx, r.client, demo.Sync(nil)...)
}

// settling is the wait until the Kustomizations are as in the beginning.
type settling struct {
	*resetter
	token string               // of the request to those that stood at the beginning
	rests map[string]time.Time // since when a Kustomization rests and is not as it should be
}

// look returns what is not as in the beginning, and why; "" if nothing is. It asks Kustomizations that rest.
func (s *settling) look(ctx context.Context, all []*unstructured.Unstructured) (waits string, err error) {
	there := map[string]*unstructured.Unstructured{}
	for _, o := range all {
		there[o.GetName()] = o
	}
	for _, name := range s.names {
		why, err := s.pending(there[name], name)
		if err != nil {
			return "", err
		}
		if why == "" {
			delete(s.rests, name)
			continue
		}
		waits = "kustomization/" + name + ": " + why
		if err := s.nudge(ctx, name, there); err != nil {
			return "", err
		}
	}
	if waits != "" {
		return waits, nil
	}
	// Flux removes those which the beginning does not have. One that goes may take others along.
	for _, o := range all {
		if !slices.Contains(s.names, o.GetName()) && (s.follows(o) || o.GetDeletionTimestamp() != nil) {
			return "kustomization/" + o.GetName() + ": Flux has not removed it yet", nil
		}
	}
	return "", nil
}

// pending returns why a Kustomization of the beginning is not as it should be; "" if it is.
func (s *settling) pending(o *unstructured.Unstructured, name string) (string, error) {
	switch {
	case o == nil:
		return "Flux has not created it yet", nil
	case o.GetDeletionTimestamp() != nil:
		return "it is being deleted", nil
	}
	unready, err := object.Unready(o)
	switch {
	case err != nil || unready != "":
		return unready, err
	case !s.at(o):
		return "it is at " + object.Applied(o) + ", and Git at " + s.root, nil
	case s.stood[name] && object.Handled(o) < s.token:
		return "it has not reconciled again", nil
	}
	return "", nil
}

// nudge asks Flux to go on with a Kustomization that rests: itself, or the one that creates it.
func (s *settling) nudge(ctx context.Context, name string, there map[string]*unstructured.Unstructured) error {
	asked, idle := there[name], idleTime
	switch {
	case asked == nil:
		// Its creator was done before it was deleted.
		asked, idle = there[demo.SyncName], 0
		if asked != nil && !s.at(asked) {
			return nil
		}
	case object.IsCommit(object.Attempted(asked), s.root):
		idle = retryTime
	}
	now := time.Now()
	if asked == nil || !resting(asked) {
		delete(s.rests, name)
		return nil
	}
	if _, rests := s.rests[name]; !rests {
		s.rests[name] = now
	}
	if now.Sub(s.rests[name]) < idle {
		return nil
	}
	delete(s.rests, name)
	return client.IgnoreNotFound(s.ask(ctx, asked, now.Format(time.RFC3339Nano))) // it may have gone just now
}

// resting reports whether the controller does nothing about a Kustomization, and was not asked to.
func resting(o *unstructured.Unstructured) bool {
	reconciling := object.Condition(o, meta.ReconcilingCondition)
	busy := reconciling.Status == metav1.ConditionTrue && reconciling.Reason != meta.ProgressingWithRetryReason
	return !busy && o.GetDeletionTimestamp() == nil && object.Requested(o) == object.Handled(o)
}

// follows reports whether the Kustomization that Flux follows the fleet with has applied the object.
func (r *resetter) follows(o *unstructured.Unstructured) bool {
	return o.GetLabels()[fluxGroup+"name"] == demo.SyncName && o.GetLabels()[fluxGroup+"namespace"] == demo.FluxNamespace && r.managed(o)
}

// at reports whether a Kustomization has tried and applied the beginning.
func (r *resetter) at(o *unstructured.Unstructured) bool {
	return object.IsCommit(object.Attempted(o), r.root) && object.IsCommit(object.Applied(o), r.root)
}

func isKustomization(o *unstructured.Unstructured) bool {
	return o.GetKind() == kustomizev1.KustomizationKind
}

func kustomizations() schema.GroupVersionKind {
	return kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind)
}
