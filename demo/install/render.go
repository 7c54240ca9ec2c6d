package install

import (
	"bytes"
	"io/fs"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Rendered is everything that Run applies, and what it pushes first.
type Rendered struct {
	flux, services, sync []*unstructured.Unstructured
	fleet                fs.FS
}

// Render renders all manifests. It needs no cluster, so it can run while one
// starts. install is what `flux install --export` prints.
func Render(install []byte) (r Rendered, err error) {
	var group errgroup.Group
	group.Go(func() (err error) { r.flux, err = manifests.Flux(install, manifests.ForDemo); return err })
	group.Go(func() (err error) { r.services, err = manifests.Services(); return err })
	group.Go(func() error { return r.follow(manifests.Source{}) })
	return r, group.Wait()
}

// follow has Flux follow the repository at source.
func (r *Rendered) follow(source manifests.Source) (err error) {
	if r.fleet, err = manifests.Fleet(source); err != nil {
		return err
	}
	r.sync, err = manifests.Sync(source)
	return err
}

// Images lists the images that the pods of Flux and of the demo's services
// run, each once. The sample app runs one of them.
func (r Rendered) Images() []string {
	var images []string
	for _, o := range object.Workloads(slices.Concat(r.flux, r.services)) {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		for _, each := range containers {
			container, ok := each.(map[string]any)
			if image, named := container["image"].(string); ok && named && !slices.Contains(images, image) {
				images = append(images, image)
			}
		}
	}
	return images
}

// ownImage is the image of this program, without its tag.
const ownImage = "ghcr.io/fluxdemo/fluxdemo"

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
	for _, o := range object.Workloads(services) {
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
		pvc := object.Named(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"), demo.DemoNamespace, name)
		pvc.Object["spec"] = map[string]any{
			"accessModes": []any{"ReadWriteOnce"},
			"resources":   map[string]any{"requests": map[string]any{"storage": "256Mi"}},
		}
		services = append(services, pvc)
	}
	r.services = services
	return r
}

// At returns the same with services that also answer to the name of the API server at this URL: it passes requests on
// to pods (/api/v1/namespaces/.../proxy) and keeps their Host. An address needs no mention.
func (r Rendered) At(server string) Rendered {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil {
		return r
	}
	r.services = copies(r.services)
	for _, o := range object.Workloads(r.services) {
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		for _, each := range containers {
			if container, ok := each.(map[string]any); ok {
				args, _, _ := unstructured.NestedStringSlice(container, "args")
				_ = unstructured.SetNestedStringSlice(container, append(args, "--host="+u.Hostname()), "args")
			}
		}
		_ = unstructured.SetNestedSlice(o.Object, containers, "spec", "template", "spec", "containers") // it was there
	}
	return r
}

// FromRegistry returns the same with all images taken from below prefix, a
// registry and a path on it: PREFIX/source-controller:v1.2.3.
func (r Rendered) FromRegistry(prefix string) (Rendered, error) {
	r.flux, r.services = copies(r.flux), copies(r.services)
	for _, o := range object.Workloads(slices.Concat(r.flux, r.services)) {
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
