// Package reset restores a demo to its state right after up: it moves the Git repository to the commit that up pushed,
// lets Flux apply that commit, and removes everything else.
package reset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
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
const timeLimit = 2 * time.Minute

// Run restores the demo to its state right after up, on the same cluster. It moves the Git repository to the commit that
// up pushed, whatever its history is now, lets Flux apply that commit, and removes everything else from the demo's
// namespaces. It keeps the notifications in the inbox and the logs. Run returns when Flux has applied the commit and the
// sample app answers. Running it twice does no harm.
//
// On a cluster of the demo's own it also removes what walks have left outside of these namespaces, and returns what else
// people have created since up. On an existing cluster it removes only what is provably the demo's, and returns the
// objects that it has kept.
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
		return nil, errors.New("the Git host is missing; `fluxdemo up` repairs it")
	}
	owner, err := ownership.New(c, cluster)
	if err != nil {
		return nil, err
	}
	r := &resetter{client: c, cluster: cluster, owner: owner, urls: urls}
	stop := r.reviving(ctx)
	// One after the other, see resetter.
	err = steps.Run(ctx, report, steps.Sequence(
		steps.Step{Name: "What is not in Git", Do: r.tidy},
		steps.Step{Name: "The fleet's beginning", Do: r.rewind},
		steps.Step{Name: "GitRepository and Kustomizations", Do: r.reconcile},
		steps.Step{Name: "Sample app", Do: r.app},
	)...)
	if stopped := stop(); err != nil {
		return nil, errors.Join(err, stopped)
	}
	return append(owner.Left(), r.kept...), nil
}

// resetter is a reset under way. It tidies up before it moves the branch and wakes Flux: one pass of each
// Kustomization is then enough, and a pass is what takes time.
type resetter struct {
	client     client.WithWatch
	cluster    clusters.Cluster
	owner      *ownership.Owner
	applied    map[string]bool // what Kustomizations have applied, by key
	mu         sync.Mutex      // for kept
	kept       []ownership.Left
	urls       demo.URLs
	repository *fleet.Repository
	head, root string                       // the commit on the branch, "" if there is none, and the beginning
	begun      *fleet.Beginning             // what the demo has begun the fleet with
	names      []string                     // of the Kustomizations that the beginning has
	sync       []*unstructured.Unstructured // what Flux follows, as Git says in the beginning
	stood      map[string]bool              // Kustomizations that were at the beginning before the branch moved
}

// tidy restores what Flux starts from, and removes what it does not know. These have nothing to do with each
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
	group, groupCtx := errgroup.WithContext(ctx)
	for _, do := range []func(context.Context) error{r.find, r.tokens, r.strangers, r.resumeAll, r.leftovers, r.strays} {
		group.Go(func() error { return do(groupCtx) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.namespaced(ctx)
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
	if err := r.repository.Reset(ctx, r.root); err != nil {
		return err
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
