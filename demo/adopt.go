package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Adopt looks for a Flux on a cluster that is not the demo's own. It returns
// the namespace of a Flux that the demo is to use, and nothing if there is
// none. It is an error if Flux is there and use is false, or if it cannot be
// used: it is in another namespace, or follows a repository of its own.
func Adopt(ctx context.Context, config *rest.Config, use bool) ([]string, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	groups, err := client.Discovery().ServerGroups()
	if err != nil {
		return nil, fmt.Errorf("listing the cluster's APIs: %w", err)
	}
	// Its CRDs are there as long as it has any object.
	repositories := schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}
	if !slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == repositories.Group }) {
		return nil, nil
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	switch _, err := objects.Resource(repositories).Namespace(FluxNamespace).Get(ctx, SyncName, metav1.GetOptions{}); {
	case err == nil:
		return nil, fmt.Errorf("Flux on this cluster follows a repository of its own (gitrepository/%s in %s), and the demo would conflict with it; choose another cluster", SyncName, FluxNamespace)
	case !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("reading what Flux follows: %w", err)
	}
	if !use {
		return nil, errors.New("this cluster already runs Flux; choose another cluster, or use that Flux with --adopt-flux")
	}
	switch _, err := client.CoreV1().Namespaces().Get(ctx, FluxNamespace, metav1.GetOptions{}); {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("Flux on this cluster is not in the namespace %s, where the demo needs it; choose another cluster", FluxNamespace)
	case err != nil:
		return nil, fmt.Errorf("looking for the namespace %s: %w", FluxNamespace, err)
	}
	return []string{FluxNamespace}, nil
}
