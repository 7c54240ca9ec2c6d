package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Free returns an error if an existing cluster has objects with names that up
// needs. The error lists them. Free changes nothing.
func (r Rendered) Free(ctx context.Context, config *rest.Config) error {
	c, err := client.New(config, client.Options{})
	if err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	later, err := manifests.Kustomizations(manifests.Source{})
	if err != nil {
		return err
	}
	wanted := slices.Concat(r.flux, r.services, r.sync, later)
	for _, secret := range secretNames() {
		wanted = append(wanted, object.Named(corev1.SchemeGroupVersion.WithKind("Secret"), secret.Namespace, secret.Name))
	}
	taken := make([]string, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(apply.Parallel)
	for i, o := range wanted {
		group.Go(func() error {
			there := &metav1.PartialObjectMetadata{}
			there.SetGroupVersionKind(o.GroupVersionKind())
			err := c.Get(ctx, client.ObjectKeyFromObject(o), there)
			switch {
			case err == nil:
				taken[i] = ownership.Object{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}.String()
			case !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err):
				return fmt.Errorf("looking for %s: %w", object.Key(o), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	taken = slices.DeleteFunc(taken, func(name string) bool { return name == "" })
	if len(taken) == 0 {
		return nil
	}
	const most = 5
	names := strings.Join(taken[:min(len(taken), most)], ", ")
	if more := len(taken) - most; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("the cluster already has objects with names that the demo needs: %s; choose another cluster", names)
}

// accountFor returns the service account that the demo's Kustomizations have
// to name: a Flux of others may give none to those that name none.
func accountFor(ctx context.Context, c client.Reader) (string, error) {
	const controller = "kustomize-controller" // and its service account
	deployment := &appsv1.Deployment{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: demo.FluxNamespace, Name: controller}, deployment); err != nil {
		return "", fmt.Errorf("reading how Flux is installed: %w", err)
	}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, arg := range container.Args {
			if account, is := strings.CutPrefix(arg, "--default-service-account="); is && account != "" {
				return controller, nil
			}
		}
	}
	return "", nil
}

// takeUp records on a cluster of others the namespaces that Flux has made for
// the demo. They were not there when it came.
func takeUp(ctx context.Context, c client.Reader, owner *ownership.Owner) error {
	if owner.Alone() {
		return nil
	}
	for _, name := range []string{demo.AppNamespace, demo.Playground} {
		namespace := &corev1.Namespace{}
		if err := c.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			return fmt.Errorf("reading the namespace %s: %w", name, err)
		}
		if err := owner.TakeUp(ctx, namespace); err != nil {
			return err
		}
	}
	return nil
}
