// Package load creates quiet and heavy tenants on a cluster, and removes them
// without a trace. It also measures Flux: how long an object waits for its
// controller, and the lengths of the controllers' queues.
package load

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest" // MapFS, the files of a map
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/shard"
)

//go:embed content
var content embed.FS

// Label is on every object that this package creates; its value is Quiet,
// Heavy, or Shared for what all tenants share.
const Label = "fluxdemo.github.io/load"

// Values of Label.
const (
	Quiet  = "quiet"
	Heavy  = "heavy"
	Shared = "shared"
)

// Namespace is where the shared GitRepositories are.
const Namespace = "load"

// Branch of the demo's repository that the tenants' GitRepositories follow.
const Branch = "load"

// heavyTimeout is the shortest that kustomize-controller takes: it adds 30 s
// to whatever is less (api/v1, Kustomization.GetTimeout).
const heavyTimeout = 30 * time.Second

// Plan says which tenants there are. Each has a namespace, a ServiceAccount
// with full rights in it and nowhere else, and Kustomizations.
type Plan struct {
	// Quiet and Heavy are how many Kustomizations there are of each. A quiet
	// one applies a Deployment scaled to zero, a ServiceAccount, a Service
	// and a ConfigMap; a heavy one waits for a Deployment that never gets
	// ready, and applies 20 ConfigMaps.
	Quiet int `json:"quiet"`
	Heavy int `json:"heavy"`
	// PerTenant is how many of them a tenant has; 0 means 10.
	PerTenant int `json:"perTenant,omitempty"`
	// Shards reconcile them: the first one the heavy tenants, the main
	// controllers and the others the quiet ones.
	Shards []string `json:"shards,omitempty"`
	// OwnSources gives each tenant a GitRepository, and not all the same.
	OwnSources bool `json:"ownSources,omitempty"`
	// Impersonate has Kustomizations applied as the tenant's ServiceAccount,
	// and not as kustomize-controller.
	Impersonate bool `json:"impersonate,omitempty"`
}

// Check returns an error for a plan that cannot be.
func (p Plan) Check() error {
	const most = 100_000 // addresses of Services are 65,534
	if p.Quiet < 0 || p.Heavy < 0 || p.PerTenant < 0 || p.Quiet+p.Heavy > most {
		return fmt.Errorf("%d quiet and %d heavy Kustomizations: use up to %d", p.Quiet, p.Heavy, most)
	}
	for _, name := range p.Shards {
		if err := shard.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// quietShards are those that share the quiet tenants; "" is the main one.
func (p Plan) quietShards() []string {
	if len(p.Shards) < 2 {
		return []string{""}
	}
	return append([]string{""}, p.Shards[1:]...)
}

// Prepare returns what has to be there before Kustomizations are: the shared
// namespace and sources, and the tenants of this kind, Quiet or Heavy.
func (p Plan) Prepare(kind string) []client.Object {
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metadata("", Namespace, Shared, "")}}
	if !p.OwnSources {
		objects = append(objects, source(Namespace, kind, p.shard(kind, 0)))
	}
	for n := range p.tenants(kind) {
		name := tenant(kind, n)
		shard := p.shard(kind, n)
		objects = append(objects,
			&corev1.Namespace{ObjectMeta: metadata("", name, kind, "")},
			&corev1.ServiceAccount{ObjectMeta: metadata(name, serviceAccount, kind, "")},
			&rbacv1.RoleBinding{
				ObjectMeta: metadata(name, serviceAccount, kind, ""),
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name, Name: serviceAccount}},
			})
		if p.OwnSources {
			objects = append(objects, source(name, kind, shard))
		}
	}
	return objects
}

// serviceAccount is what `flux create tenant` calls it, without its prefix.
const serviceAccount = "flux"

// Kustomizations returns those of one kind, Quiet or Heavy.
func (p Plan) Kustomizations(kind string) []client.Object {
	var objects []client.Object
	for n := range p.count(kind) {
		number := n / p.perTenant()
		name := tenant(kind, number)
		app := fmt.Sprintf("app-%d", n%p.perTenant())
		k := &kustomizev1.Kustomization{
			ObjectMeta: metadata(name, app, kind, p.shard(kind, number)),
			Spec: kustomizev1.KustomizationSpec{
				Interval:        metav1.Duration{Duration: time.Hour},
				Path:            "./" + kind,
				Prune:           true,
				TargetNamespace: name,
				NamePrefix:      app + "-",
				SourceRef:       kustomizev1.CrossNamespaceSourceReference{Kind: sourcev1.GitRepositoryKind, Namespace: Namespace, Name: kind},
				// The namespace is deleted as a whole, so Flux need not prune
				// its objects one after the other.
				DeletionPolicy: kustomizev1.DeletionPolicyOrphan,
			},
		}
		if p.OwnSources {
			k.Spec.SourceRef.Namespace = ""
		}
		if p.Impersonate {
			k.Spec.ServiceAccountName = serviceAccount
		}
		if kind == Heavy {
			k.Spec.Wait = true
			k.Spec.Timeout = &metav1.Duration{Duration: heavyTimeout}
			k.Spec.RetryInterval = &metav1.Duration{Duration: time.Second}
		}
		objects = append(objects, k)
	}
	return objects
}

func (p Plan) perTenant() int { return cmp.Or(p.PerTenant, 10) }

func (p Plan) count(kind string) int {
	if kind == Heavy {
		return p.Heavy
	}
	return p.Quiet
}

func (p Plan) tenants(kind string) int {
	return (p.count(kind) + p.perTenant() - 1) / p.perTenant()
}

// shard returns the shard that reconciles the tenant of that number.
func (p Plan) shard(kind string, number int) string {
	if kind == Heavy {
		if len(p.Shards) == 0 {
			return ""
		}
		return p.Shards[0]
	}
	among := p.quietShards()
	return among[number%len(among)]
}

func tenant(kind string, number int) string { return fmt.Sprintf("load-%s-%04d", kind, number) }

func metadata(namespace, name, kind, shardName string) metav1.ObjectMeta {
	labels := map[string]string{Label: kind}
	if shardName != "" {
		labels[shard.Key] = shardName
	}
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}
}

func source(namespace, kind, shard string) client.Object {
	return &sourcev1.GitRepository{
		ObjectMeta: metadata(namespace, kind, kind, shard),
		Spec: sourcev1.GitRepositorySpec{
			URL:            "http://git.fluxdemo.svc.cluster.local" + demo.Repository,
			Interval:       metav1.Duration{Duration: time.Hour},
			Reference:      &sourcev1.GitRepositoryRef{Branch: Branch},
			SparseCheckout: []string{kind}, // each artifact has what is its own
		},
	}
}

// Content returns what the branch holds. edition is in a ConfigMap of the
// heavy tenants, so that another one is another commit for them to apply.
func Content(edition string) (fs.FS, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(content, "content", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(content, path)
		files[strings.TrimPrefix(path, "content/")] = &fstest.MapFile{Data: bytes.ReplaceAll(raw, []byte("EDITION"), []byte(edition)), Mode: 0o644}
		return err
	})
	return files, err
}

// Ask requests a reconciliation of an object now, and returns when that was and what tells the request from others.
func Ask(ctx context.Context, c client.Client, o client.Object) (token string, at time.Time, err error) {
	at = time.Now()
	token = at.Format(time.RFC3339Nano)
	if err := object.Ask(ctx, c, o, token); err != nil {
		return "", at, fmt.Errorf("requesting a reconciliation of %s/%s: %w", o.GetNamespace(), o.GetName(), err)
	}
	return token, at, nil
}
