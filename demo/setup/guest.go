package setup

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// ownImage is the image of this program, without its tag.
const ownImage = "ghcr.io/fluxdemo/fluxdemo"

// Namespaces lists the namespaces that a demo is made of.
func Namespaces() []string { return []string{FluxNamespace, DemoNamespace, AppNamespace, playground} }

// Free returns an error that names what is on a cluster of others and has the
// name of something that up would make there. It changes nothing.
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
		wanted = append(wanted, named(corev1.SchemeGroupVersion.WithKind("Secret"), secret.Namespace, secret.Name))
	}
	taken := make([]string, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, o := range wanted {
		group.Go(func() error {
			there := &metav1.PartialObjectMetadata{}
			there.SetGroupVersionKind(o.GroupVersionKind())
			err := c.Get(ctx, client.ObjectKeyFromObject(o), there)
			switch {
			case err == nil:
				taken[i] = ownership.Object{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}.String()
			case !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err):
				return fmt.Errorf("looking for %s: %w", key(o), err)
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
	return fmt.Errorf("the cluster has objects with names that the demo needs: %s; choose another cluster", names)
}

// accountFor returns the service account that the demo's Kustomizations have
// to name: a Flux of others may give none to those that name none.
func accountFor(ctx context.Context, c client.Reader) (string, error) {
	const controller = "kustomize-controller" // and its service account
	deployment := &appsv1.Deployment{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: FluxNamespace, Name: controller}, deployment); err != nil {
		return "", fmt.Errorf("looking at how Flux is set up: %w", err)
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
	for _, name := range []string{AppNamespace, playground} {
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

// WithoutFlux returns what is to be applied where Flux runs already.
func (r Rendered) WithoutFlux() Rendered {
	r.flux = nil
	return r
}

// OffTheNode returns the same with nothing kept on a node, where it would be
// left behind: the Git host's repositories are on a volume that the cluster
// makes or, without claim, live as long as their pod.
func (r Rendered) OffTheNode(claim bool) Rendered {
	const name = "git-repositories"
	volume := map[string]any{"emptyDir": map[string]any{}}
	if claim {
		volume = map[string]any{"persistentVolumeClaim": map[string]any{"claimName": name}}
	}
	services := copies(r.services)
	for _, o := range workloads(services) {
		volumes, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "volumes")
		for i, each := range volumes {
			if old, ok := each.(map[string]any); ok && old["hostPath"] != nil {
				volumes[i] = map[string]any{"name": old["name"]}
				for kind, source := range volume {
					volumes[i].(map[string]any)[kind] = source
				}
				_ = unstructured.SetNestedSlice(o.Object, volumes, "spec", "template", "spec", "volumes") // it was there
			}
		}
	}
	if claim {
		pvc := named(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"), DemoNamespace, name)
		pvc.Object["spec"] = map[string]any{
			"accessModes": []any{"ReadWriteOnce"},
			"resources":   map[string]any{"requests": map[string]any{"storage": "256Mi"}},
		}
		services = append(services, pvc)
	}
	r.services = services
	return r
}

// FromRegistry returns the same with all images taken from below prefix, a
// registry and a path on it: PREFIX/source-controller:v1.2.3.
func (r Rendered) FromRegistry(prefix string) (Rendered, error) {
	r.flux, r.services = copies(r.flux), copies(r.services)
	for _, o := range workloads(slices.Concat(r.flux, r.services)) {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		for _, each := range containers {
			if container, ok := each.(map[string]any); ok {
				if image, ok := container["image"].(string); ok {
					container["image"] = InRegistry(prefix, image)
				}
			}
		}
		if err := unstructured.SetNestedSlice(o.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			return r, err
		}
	}
	r.fleet = replaced{r.fleet, ownImage, InRegistry(prefix, ownImage)}
	return r, nil
}

// replaced is a file system whose files have new where they had old.
type replaced struct {
	fs.FS
	old, new string
}

// ReadFile implements fs.ReadFileFS.
func (r replaced) ReadFile(name string) ([]byte, error) {
	raw, err := fs.ReadFile(r.FS, name)
	return bytes.ReplaceAll(raw, []byte(r.old), []byte(r.new)), err
}

// InRegistry returns the name of an image below prefix.
func InRegistry(prefix, image string) string {
	return strings.TrimSuffix(prefix, "/") + "/" + path.Base(image)
}

// copies returns copies of objects: those that were rendered are shared.
func copies(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, o := range objects {
		all = append(all, o.DeepCopy())
	}
	return all
}
