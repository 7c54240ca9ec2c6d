// Package strays finds what people have created on a cluster that is the demo's alone: everything that neither
// Kubernetes, nor Flux, nor the demo made since it was set up.
package strays

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// parallel is how many kinds of objects are listed at a time.
const parallel = 8

// Object is the metadata of an object that was found. Its kind is set.
type Object = metav1.PartialObjectMetadata

// Find returns what people have created since then, all over the cluster, in the order of namespaces, kinds, and names.
// applied reports whether Flux has applied an object. An API that does not answer is passed over: nothing is known of
// what it serves.
func Find(ctx context.Context, config *rest.Config, since time.Time, applied func(*Object) bool) ([]*Object, error) {
	kinds, err := kinds(config)
	if err != nil {
		return nil, err
	}
	c, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found []*Object
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, kind := range kinds {
		group.Go(func() error {
			list, err := c.Resource(kind.resource).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsServiceUnavailable(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("listing %s: %w", kind.resource.Resource, err)
			}
			for i := range list.Items {
				o := &list.Items[i]
				o.SetGroupVersionKind(kind.GroupVersionKind)
				if byPeople(o, since) && !applied(o) {
					mu.Lock()
					found = append(found, o)
					mu.Unlock()
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *Object) int { return strings.Compare(order(a), order(b)) })
	return found, nil
}

// kind is a kind of objects, and the resource that serves it.
type kind struct {
	schema.GroupVersionKind
	resource schema.GroupVersionResource
}

func order(o *Object) string {
	return strings.Join([]string{o.Namespace, o.GroupVersionKind().GroupKind().String(), o.Name}, "\x00")
}

// kinds lists the kinds of objects that the cluster keeps, and that can be deleted.
func kinds(config *rest.Config) ([]kind, error) {
	ask, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	resources, err := ask.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("listing the kinds of objects of the cluster: %w", err)
	}
	var all []kind
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, resources) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, each := range list.APIResources {
			if !slices.Contains(records(), each.Kind) {
				all = append(all, kind{version.WithKind(each.Kind), version.WithResource(each.Name)})
			}
		}
	}
	return all, nil
}

// records are the kinds of objects that Kubernetes writes by itself.
func records() []string {
	return []string{
		"Event", "Lease", "LeaseCandidate", "Endpoints", "EndpointSlice", "IPAddress", "ServiceCIDR", "Node", "CSINode", "ControllerRevision",
		"CertificateSigningRequest", "FlowSchema", "PriorityLevelConfiguration", "APIService", "ComponentStatus", "VolumeAttachment",
		"StorageVersion", "ResourceSlice",
	}
}

// system are the managers whose objects are nobody's: Kubernetes's own, and the demo's.
func system() []string {
	return []string{
		"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-aggregator", "kubeadm", "kube-proxy",
		ownership.MarkValue,
	}
}

// byPeople reports whether an object was created since then by none of Kubernetes's and the demo's programs.
func byPeople(o *Object, since time.Time) bool {
	switch {
	case !o.CreationTimestamp.After(since), o.DeletionTimestamp != nil, len(o.OwnerReferences) > 0:
		return false
	case o.Labels[ownership.MarkLabel] != "", o.Labels["kubernetes.io/bootstrapping"] != "":
		return false
	case o.Kind == "ConfigMap" && o.Name == "kube-root-ca.crt", o.Kind == "ServiceAccount" && o.Name == "default":
		return false // Kubernetes puts them into each namespace
	case o.Kind == "PersistentVolume" && o.Annotations["pv.kubernetes.io/provisioned-by"] != "":
		return false // it goes with its claim
	}
	return len(o.ManagedFields) == 0 || slices.ContainsFunc(o.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool {
		return !slices.Contains(system(), entry.Manager)
	})
}
