package existing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// clients are the ways to talk to the cluster.
type clients struct {
	typed kubernetes.Interface
}

// connect returns clients for the cluster of a kubeconfig file.
func connect(kubeconfig string) (clients, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return clients{}, fmt.Errorf("reading the cluster's kubeconfig: %w; `fluxdemo up` copies it from yours again", err)
	}
	return newClients(config)
}

func newClients(config *rest.Config) (c clients, err error) {
	config.QPS, config.Burst = 100, 200
	if c.typed, err = kubernetes.NewForConfig(config); err != nil {
		return c, err
	}
	return c, nil
}

// answers returns nil if the API server is ready.
func (c clients) answers(ctx context.Context) error {
	return c.typed.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// identity returns the UID of the namespace kube-system, which lives as long
// as its cluster.
func (c clients) identity(ctx context.Context) (types.UID, error) {
	system, err := c.typed.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading the namespace %s: %w", metav1.NamespaceSystem, err)
	}
	return system.UID, nil
}

// inspect returns an error if the demo cannot be a guest on the target. Else
// it returns whether a part of the demo is taken as it is there, and which
// cluster this is.
func (c *Cluster) inspect(ctx context.Context, target target) (adopt bool, uid types.UID, err error) {
	config, err := clientcmd.NewDefaultClientConfig(target.config, nil).ClientConfig()
	if err != nil {
		return false, "", fmt.Errorf("reading the context %q: %w", target.Context, err)
	}
	clients, err := newClients(config)
	if err != nil {
		return false, "", err
	}
	if err := clients.answers(ctx); err != nil {
		return false, "", fmt.Errorf("the cluster of the context %q does not answer: %w", target.Context, err)
	}
	if err := mayDoEverything(ctx, clients.typed); err != nil {
		return false, "", err
	}
	adopted, err := c.options.Adopt(ctx, config)
	if err != nil {
		return false, "", err
	}
	var taken []string
	for _, name := range c.options.Namespaces {
		if slices.Contains(adopted, name) {
			continue
		}
		switch _, err := clients.typed.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{}); {
		case err == nil:
			taken = append(taken, name)
		case !apierrors.IsNotFound(err):
			return false, "", fmt.Errorf("looking for the namespace %s: %w", name, err)
		}
	}
	if len(taken) > 0 {
		return false, "", fmt.Errorf("the cluster already has namespaces that the demo would use: %s; choose another cluster", strings.Join(taken, ", "))
	}
	if err := c.options.Fits(ctx, config, len(adopted) > 0); err != nil {
		return false, "", err
	}
	uid, err = clients.identity(ctx)
	return len(adopted) > 0, uid, err
}

// mayDoEverything returns an error unless the user is an administrator, whom
// the demo needs to be installed by.
func mayDoEverything(ctx context.Context, client kubernetes.Interface) error {
	review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("checking your permissions on the cluster: %w", err)
	}
	if !review.Status.Allowed {
		return errors.New("installing the demo requires the role cluster-admin, which you do not have on this cluster")
	}
	return nil
}

// MakesVolumes reports whether the cluster provisions a volume for a claim.
func (c *Cluster) MakesVolumes(ctx context.Context) (bool, error) {
	clients, err := connect(c.Kubeconfig())
	if err != nil {
		return false, err
	}
	classes, err := clients.typed.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("listing the StorageClasses: %w", err)
	}
	return slices.ContainsFunc(classes.Items, func(class storagev1.StorageClass) bool {
		return class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" && class.Provisioner != "kubernetes.io/no-provisioner"
	}), nil
}
