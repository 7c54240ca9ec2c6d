package demo

import (
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// App names the Deployment of the sample app, which only Flux makes.
func App() *unstructured.Unstructured {
	return object.Named(appsv1.SchemeGroupVersion.WithKind("Deployment"), AppNamespace, "app")
}

// Sync names what shows that Flux follows the fleet: the GitRepository, and the Kustomizations of these names in Flux's
// namespace.
func Sync(kustomizations []string) []*unstructured.Unstructured {
	all := []*unstructured.Unstructured{object.Named(sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind), FluxNamespace, SyncName)}
	for _, name := range kustomizations {
		all = append(all, object.Named(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), FluxNamespace, name))
	}
	return all
}
