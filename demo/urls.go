package demo

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/wait"
)

// URLs is where the demo's parts answer on this machine.
type URLs struct {
	Git      string `json:"git,omitempty"`      // the fleet repository, for git clone
	Upstream string `json:"upstream,omitempty"` // the repository behind it, if there is one
	Inbox    string `json:"inbox,omitempty"`
	App      string `json:"app,omitempty"`
}

// FindURLs returns where the demo's parts answer on this machine; a part
// that is not there yet has no URL.
func FindURLs(ctx context.Context, c client.Reader, cluster clusters.Cluster) (urls URLs, err error) {
	for _, part := range []struct {
		namespace, name, path string
		url                   *string
	}{
		{DemoNamespace, "git", Repository, &urls.Git},
		{DemoNamespace, "inbox", "", &urls.Inbox},
		{AppNamespace, "app", "", &urls.App},
	} {
		service := &corev1.Service{}
		err := c.Get(ctx, client.ObjectKey{Namespace: part.namespace, Name: part.name}, service)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return urls, fmt.Errorf("reading Service %s/%s: %w", part.namespace, part.name, err)
		}
		if len(service.Spec.Ports) == 0 || service.Spec.Ports[0].NodePort == 0 {
			continue
		}
		base, err := cluster.URL(ctx, service.Spec.Ports[0].NodePort)
		if err != nil {
			return urls, err
		}
		*part.url = base + part.path
	}
	if urls.Git != "" {
		host, err := ReadSecret(ctx, c, DemoNamespace, "git")
		if client.IgnoreNotFound(err) != nil {
			return urls, err
		}
		urls.Upstream = SourceIn(host).URL
	}
	return urls, nil
}

// pageTime is how long the network of a cluster may take to lead to a pod that is ready.
const pageTime = 30 * time.Second

// AwaitPage returns when url answers 200.
func AwaitPage(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	return wait.Page(ctx, url, "")
}
