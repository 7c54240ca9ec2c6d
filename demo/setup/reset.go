package setup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Reset brings the demo back to how it was right after up, in place: the Git repository to the commit that
// up has pushed, whatever has become of its history, Flux to what that says, and everything away that was put beside it
// in the demo's namespaces. It returns when Flux has applied that commit and the sample app is served. Doing it twice is no harm. What the inbox has received and
// what the services log stays.
//
// On a cluster of others it takes away only what is provably the demo's, and returns what it left alone where it
// would have tidied up.
func Reset(ctx context.Context, cluster clusters.Cluster, steps clusters.Steps) ([]ownership.Left, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not done after %s", timeout))
	defer cancel()
	c, err := Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, err
	}
	urls, err := FindURLs(ctx, c, cluster)
	if err != nil {
		return nil, err
	}
	if urls.Git == "" {
		return nil, errors.New("there is no Git host in the cluster; `fluxdemo up` repairs the demo")
	}
	owner, err := ownership.New(c, cluster)
	if err != nil {
		return nil, err
	}
	r := &resetter{client: c, cluster: cluster, owner: owner, urls: urls}
	for _, step := range []struct {
		name string
		work func(context.Context) error
	}{
		{"What is not in Git", r.tidy},
		{"The fleet's beginning", r.rewind},
		{"GitRepository and Kustomizations", r.reconcile},
		{"Sample app", r.app},
	} {
		end := steps.Start(step.name)
		err := step.work(ctx)
		end(err)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return owner.Left(), nil
}

// resetter is a reset under way. It tidies up before it moves the branch and wakes Flux: one pass of each
// Kustomization is then enough, and a pass is what takes time.
type resetter struct {
	client     client.WithWatch
	cluster    clusters.Cluster
	owner      *ownership.Owner
	applied    map[string]bool // what Kustomizations have applied, by key
	urls       URLs
	repository *fleet.Repository
	head, root string                       // the commit on the branch, "" if there is none, and the beginning
	begun      *fleet.Beginning             // what the demo has begun the fleet with
	names      []string                     // of the Kustomizations that the beginning has
	sync       []*unstructured.Unstructured // what Flux follows, as Git says in the beginning
	stood      map[string]bool              // Kustomizations that were at the beginning before the branch moved
}

// tidy puts back what Flux starts from, and takes away what it does not know. These have nothing to do with each
// other, so they happen at a time.
func (r *resetter) tidy(ctx context.Context) (err error) {
	host, err := readSecret(ctx, r.client, DemoNamespace, "git")
	if err != nil {
		return err
	}
	if r.sync, err = manifests.Sync(sourceIn(host)); err != nil {
		return err
	}
	if err := r.unshard(ctx); err != nil {
		return err
	}
	if err := r.inventories(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.find(ctx) })
	group.Go(func() error { return r.token(ctx) })
	group.Go(func() error { return r.strangers(ctx) })
	group.Go(func() error { return r.resumeAll(ctx) })
	group.Go(func() error { return r.leftovers(ctx) })
	return group.Wait()
}

// inventories reads what all Kustomizations have applied.
func (r *resetter) inventories(ctx context.Context) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind))
	if err := r.client.List(ctx, list); err != nil {
		return fmt.Errorf("listing Kustomizations: %w", err)
	}
	r.applied = map[string]bool{}
	for i := range list.Items {
		for _, o := range ownership.Applied(&list.Items[i]) {
			r.applied[o.Key()] = true
		}
	}
	return nil
}

// find looks for the beginning, and for where the branch is now.
func (r *resetter) find(ctx context.Context) error {
	password, err := GitPassword(ctx, r.client)
	if err != nil {
		return err
	}
	r.repository = &fleet.Repository{
		URL: r.urls.Git, User: GitUser, Password: password, Copy: filepath.Join(r.cluster.Dir(), "fleet.git"),
	}
	if r.begun, err = r.repository.Beginning(ctx, BeginningFile(r.cluster)); err != nil {
		return err
	}
	if r.names, err = r.begun.Kustomizations(FluxNamespace); err != nil {
		return err
	}
	r.root = r.begun.Commit
	if err := r.repository.Import(r.begun); err != nil {
		return err
	}
	r.head, err = r.repository.Head(ctx)
	if errors.Is(err, fleet.ErrNoBranch) {
		return nil // it is made again
	}
	return err
}

// rewind moves the branch to the beginning, and has Flux fetch it.
func (r *resetter) rewind(ctx context.Context) error {
	all, err := r.kustomizations(ctx)
	if err != nil {
		return err
	}
	r.stood = map[string]bool{}
	for _, o := range all {
		r.stood[o.GetName()] = r.at(o)
	}
	if r.root != r.head {
		if err := r.repository.Restore(ctx, r.root, nil); err != nil {
			return err
		}
	}
	if err := r.apply(ctx, func(o *unstructured.Unstructured) bool { return !isKustomization(o) }); err != nil {
		return err
	}
	now := time.Now().Format(time.RFC3339Nano)
	source := named(sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind), FluxNamespace, SyncName)
	// The Receiver's address comes from its token, which it reads only now and then.
	receiver := named(notificationv1.GroupVersion.WithKind(notificationv1.ReceiverKind), FluxNamespace, SyncName)
	if err := errors.Join(r.ask(ctx, source, now), r.ask(ctx, receiver, now)); err != nil {
		return err
	}
	return awaitThat(ctx, r.client, source, func(o *unstructured.Unstructured) bool {
		revision, _, _ := unstructured.NestedString(o.Object, "status", "artifact", "revision")
		return strings.HasSuffix(revision, ":"+r.root)
	})
}

// token gives the Receiver the token that the Git host has.
func (r *resetter) token(ctx context.Context) error {
	host, err := readSecret(ctx, r.client, DemoNamespace, "git")
	if err != nil {
		return err
	}
	data := map[string]string{"token": host["webhook-token"]}
	now, err := newSecrets(newApplier(r.client, r.owner)).get(ctx, FluxNamespace, "webhook-token", data)
	if err != nil || now["token"] == data["token"] {
		return err
	}
	secret := &corev1.Secret{}
	if err = r.client.Get(ctx, client.ObjectKey{Namespace: FluxNamespace, Name: "webhook-token"}, secret); err == nil {
		err = r.owner.Patch(ctx, secret, map[string]any{"stringData": map[string]any{"token": data["token"]}})
	}
	if err != nil {
		return fmt.Errorf("giving the Receiver its token back: %w", err)
	}
	return nil
}

// strangers has those of Flux's own objects go that Git does not know.
func (r *resetter) strangers(ctx context.Context) error {
	ours := map[string]bool{}
	for _, o := range r.sync {
		ours[key(o)] = true
	}
	kinds, err := fluxKinds(ctx, r.client)
	if err != nil {
		return err
	}
	namespaces := []string{FluxNamespace, AppNamespace, playground}
	if adoptedFlux(r.cluster) {
		namespaces = namespaces[1:] // that one holds what others have Flux do
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, kind := range kinds {
		group.Go(func() error {
			return each(ctx, r.client, kind, namespaces, func(o *unstructured.Unstructured) error {
				if ours[key(o)] || r.managed(o) {
					return nil
				}
				return r.owner.Leave(r.owner.Remove(ctx, o))
			})
		})
	}
	return group.Wait()
}

// apply makes those objects that Flux follows, and which fit, what Git says, and has them go on if they are
// suspended.
func (r *resetter) apply(ctx context.Context, fits func(*unstructured.Unstructured) bool) error {
	apply := newApplier(r.client, r.owner)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, o := range r.sync {
		if !fits(o) {
			continue
		}
		group.Go(func() error {
			there, err := apply.there(ctx, o)
			if err != nil {
				return wrap(o, err)
			}
			if there == nil {
				return wrap(o, apply.seed(ctx, o))
			}
			o := o.DeepCopy()
			o.SetLabels(there.GetLabels()) // by which Flux knows its own
			// As kustomize-controller will, so that nothing is left for it to change.
			if err := r.owner.Apply(ctx, o, there, "kustomize-controller"); err != nil {
				return wrap(o, err)
			}
			return r.resume(ctx, there)
		})
	}
	return group.Wait()
}

// resume has a suspended object go on. Git says nothing about that.
func (r *resetter) resume(ctx context.Context, o *unstructured.Unstructured) error {
	if suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); !suspended {
		return nil
	}
	return wrap(o, r.owner.Patch(ctx, o, map[string]any{"spec": map[string]any{"suspend": nil}}))
}

// resumeAll has all Kustomizations go on before the branch moves: one that is suspended leaves what it has applied
// behind when it is removed.
func (r *resetter) resumeAll(ctx context.Context) error {
	all, err := r.kustomizations(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		if r.owner.Check(ctx, o) != nil {
			continue // it is suspended for a reason of others
		}
		if err := r.resume(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// ask has Flux look at an object now.
func (r *resetter) ask(ctx context.Context, o *unstructured.Unstructured, token string) error {
	there := named(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return wrap(o, err)
	}
	return wrap(o, r.owner.Patch(ctx, there, map[string]any{"metadata": map[string]any{"annotations": map[string]any{meta.ReconcileRequestAnnotation: token}}}))
}

// removalTime is how long what Flux has pruned may take to go.
const removalTime = time.Minute

// reconcile waits until Flux has applied the beginning, after everything that was tidied up, and has removed what was
// in Git beside it.
func (r *resetter) reconcile(ctx context.Context) error {
	if err := r.apply(ctx, isKustomization); err != nil {
		return err
	}
	token := time.Now().Format(time.RFC3339Nano)
	group, groupCtx := errgroup.WithContext(ctx)
	for _, name := range r.names {
		o := named(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), FluxNamespace, name)
		group.Go(func() error {
			// The new artifact wakes it. One that stood at the beginning all the time has to be asked.
			stood := r.stood[name]
			if stood {
				if err := r.ask(groupCtx, o, token); err != nil {
					return err
				}
			}
			return awaitThat(groupCtx, r.client, o, func(o *unstructured.Unstructured) bool {
				handled, _, _ := unstructured.NestedString(o.Object, "status", "lastHandledReconcileAt")
				return r.at(o) && (!stood || handled >= token)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := r.pruned(ctx); err != nil {
		return err
	}
	// What was applied last may have changed other Kustomizations, which take note of that now.
	return awaitSync(ctx, r.client, r.begun)
}

// pruned waits until the Kustomizations are gone that Flux removes because the beginning does not have them. One that
// goes may take others along.
func (r *resetter) pruned(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removalTime, fmt.Errorf("not gone after %s", removalTime))
	defer cancel()
	for {
		all, err := r.kustomizations(ctx)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(o *unstructured.Unstructured) bool {
			ours := o.GetLabels()[fluxGroup+"name"] == SyncName && o.GetLabels()[fluxGroup+"namespace"] == FluxNamespace && r.managed(o)
			return slices.Contains(r.names, o.GetName()) || !ours && o.GetDeletionTimestamp() == nil
		})
		if len(all) == 0 {
			return nil
		}
		for _, o := range all {
			if err := awaitGone(ctx, r.client, o); err != nil {
				return err
			}
		}
	}
}

// kustomizations returns the Kustomizations in Flux's namespace.
func (r *resetter) kustomizations(ctx context.Context) ([]*unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind))
	if err := r.client.List(ctx, list, client.InNamespace(FluxNamespace)); err != nil {
		return nil, fmt.Errorf("listing Kustomizations: %w", err)
	}
	var all []*unstructured.Unstructured
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	return all, nil
}

// at tells whether a Kustomization has tried and applied the beginning.
func (r *resetter) at(o *unstructured.Unstructured) bool {
	for _, field := range []string{"lastAttemptedRevision", "lastAppliedRevision"} {
		revision, _, _ := unstructured.NestedString(o.Object, "status", field)
		if !strings.HasSuffix(revision, ":"+r.root) {
			return false
		}
	}
	return true
}

func isKustomization(o *unstructured.Unstructured) bool {
	return o.GetKind() == kustomizev1.KustomizationKind
}

func (r *resetter) app(ctx context.Context) error {
	if err := awaitReady(ctx, r.client, app()); err != nil {
		return err
	}
	urls, err := FindURLs(ctx, r.client, r.cluster) // its Service may be a new one
	if err != nil {
		return err
	}
	return awaitPage(ctx, urls.App)
}
