// Package reset brings a demo back to how it was right after up: the Git repository to the commit that up has pushed,
// Flux to what that says, and everything away that was put beside it.
package reset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/shard"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// timeLimit is for all of it; it takes seconds.
const timeLimit = 5 * time.Minute

// Run brings the demo back to how it was right after up, in place: the Git repository to the commit that
// up has pushed, whatever has become of its history, Flux to what that says, and everything away that was put beside it
// in the demo's namespaces. It returns when Flux has applied that commit and the sample app is served. Doing it twice is no harm. What the inbox has received and
// what the services log stays.
//
// On a cluster of others it takes away only what is provably the demo's, and returns what it left alone where it
// would have tidied up.
func Run(ctx context.Context, cluster clusters.Cluster, report clusters.Steps) ([]ownership.Left, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeLimit, fmt.Errorf("not done after %s", timeLimit))
	defer cancel()
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, err
	}
	urls, err := demo.FindURLs(ctx, c, cluster)
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
	const (
		tidy   = "What is not in Git"
		rewind = "The fleet's beginning"
		sync   = "GitRepository and Kustomizations"
		app    = "Sample app"
	)
	// One after the other, see resetter.
	if err := steps.Run(ctx, report,
		steps.Step{Name: tidy, Do: r.tidy},
		steps.Step{Name: rewind, Needs: []string{tidy}, Do: r.rewind},
		steps.Step{Name: sync, Needs: []string{rewind}, Do: r.reconcile},
		steps.Step{Name: app, Needs: []string{sync}, Do: r.app},
	); err != nil {
		return nil, err
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
	urls       demo.URLs
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
	host, err := demo.ReadSecret(ctx, r.client, demo.DemoNamespace, "git")
	if err != nil {
		return err
	}
	if r.sync, err = manifests.Sync(demo.SourceIn(host)); err != nil {
		return err
	}
	if err := shard.Undo(ctx, r.client, r.owner); err != nil {
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
	password, err := demo.GitPassword(ctx, r.client)
	if err != nil {
		return err
	}
	r.repository = &fleet.Repository{
		URL: r.urls.Git, User: demo.GitUser, Password: password, Copy: filepath.Join(r.cluster.Dir(), "fleet.git"),
	}
	if r.begun, err = r.repository.Beginning(ctx, demo.BeginningFile(r.cluster)); err != nil {
		return err
	}
	if r.names, err = r.begun.Kustomizations(demo.FluxNamespace); err != nil {
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
	source := object.Named(sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind), demo.FluxNamespace, demo.SyncName)
	// The Receiver's address comes from its token, which it reads only now and then.
	receiver := object.Named(notificationv1.GroupVersion.WithKind(notificationv1.ReceiverKind), demo.FluxNamespace, demo.SyncName)
	if err := errors.Join(r.ask(ctx, source, now), r.ask(ctx, receiver, now)); err != nil {
		return err
	}
	return object.Await(ctx, r.client, source, func(o *unstructured.Unstructured) bool {
		return object.IsCommit(object.Stored(o), r.root)
	})
}

func (r *resetter) app(ctx context.Context) error {
	if err := object.AwaitReady(ctx, r.client, demo.App()); err != nil {
		return err
	}
	urls, err := demo.FindURLs(ctx, r.client, r.cluster) // its Service may be a new one
	if err != nil {
		return err
	}
	return demo.AwaitPage(ctx, urls.App)
}
