// Package apiserver connects to the API server of a cluster that runs on this machine, and waits for it.
package apiserver

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// again is how often an API server that does not answer is asked: nothing can be watched on one that is not there yet.
const again = 50 * time.Millisecond

// Connect returns a client for the cluster of a kubeconfig file. It asks no server.
func Connect(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w; `fluxdemo up` writes it", err)
	}
	return kubernetes.NewForConfig(config)
}

// AwaitReady returns when the API server of the cluster of a kubeconfig file is ready, after patience at most. The
// error has its last answer.
func AwaitReady(ctx context.Context, kubeconfig string, patience time.Duration) error {
	client, err := Connect(kubeconfig)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	var last error
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server does not answer: %w; see `fluxdemo logs kube-apiserver`", last)
		case <-ticker.C:
		}
	}
}
