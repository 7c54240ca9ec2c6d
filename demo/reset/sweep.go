package reset

import (
	"context"
	"strings"

	"github.com/fluxcd/pkg/ssa"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/apply"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// fluxGroup is the group of the labels and annotations with which Flux and its users mark objects.
const fluxGroup = "kustomize.toolkit.fluxcd.io/"

// sweptKinds are the kinds that people put into the namespaces app and playground.
func sweptKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Secret"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		corev1.SchemeGroupVersion.WithKind("ResourceQuota"),
		corev1.SchemeGroupVersion.WithKind("LimitRange"),
		corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"),
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
		appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
		appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
		batchv1.SchemeGroupVersion.WithKind("Job"),
		batchv1.SchemeGroupVersion.WithKind("CronJob"),
		networkingv1.SchemeGroupVersion.WithKind("Ingress"),
		networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		rbacv1.SchemeGroupVersion.WithKind("Role"),
		rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
	}
}

// leftovers removes objects in the fleet's namespaces that are not in Git, and the manual changes to all others. Flux
// restores the fields that Git sets.
func (r *resetter) leftovers(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(apply.Parallel)
	for _, kind := range sweptKinds() {
		group.Go(func() error {
			return object.Each(ctx, r.client, kind, fleetNamespaces(), func(o *unstructured.Unstructured) error {
				switch {
				case r.managed(o):
					return r.owner.Leave(r.handBack(ctx, o))
				case len(o.GetOwnerReferences()) > 0, furniture(o):
					return nil // Kubernetes's own
				}
				return r.remove(ctx, o)
			})
		})
	}
	return group.Wait()
}

// managed reports whether a Kustomization of Flux has applied the object. Its label alone is no proof: copies have it too.
func (r *resetter) managed(o *unstructured.Unstructured) bool {
	return o.GetLabels()[fluxGroup+"name"] != "" && r.applied[object.Key(o)]
}

// handBack removes annotations that keep Flux from changing an object, and transfers the fields that people have written
// to Flux, which removes those that are not in Git when it next applies the object.
func (r *resetter) handBack(ctx context.Context, o *unstructured.Unstructured) error {
	var managers []ssa.FieldManager
	for _, entry := range o.GetManagedFields() {
		// Kubernetes writes too, and Flux takes care of kubectl by itself.
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Subresource == "" && !strings.HasPrefix(entry.Manager, "kube") {
			managers = append(managers, ssa.FieldManager{Name: entry.Manager, OperationType: entry.Operation, ExactMatch: true})
		}
	}
	patches, err := ssa.PatchReplaceFieldsManagers(o, managers, "kustomize-controller")
	if err != nil {
		return object.Applying(o, err)
	}
	for name := range o.GetAnnotations() {
		if strings.HasPrefix(name, fluxGroup) {
			path := "/metadata/annotations/" + strings.ReplaceAll(name, "/", "~1")
			patches = append([]ssa.JSONPatch{{Operation: "remove", Path: path}}, patches...)
		}
	}
	if len(patches) == 0 {
		return nil
	}
	// What Flux has removed meanwhile is as well.
	return object.Applying(o, client.IgnoreNotFound(r.owner.PatchJSON(ctx, o, patches)))
}
