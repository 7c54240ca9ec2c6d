package health

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/demo"
)

// WriteLogs writes the logs of the pods of component to out; with follow until
// ctx ends. component is the name of a Deployment, or namespace/pod. It is an
// error if there is no such pod.
func WriteLogs(ctx context.Context, kubeconfig, component string, follow bool, out io.Writer) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	pods, err := findPods(ctx, client, component)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("there is no component %q; `fluxdemo status` lists them", component)
	}
	shared := &locked{out: out}
	group, ctx := errgroup.WithContext(ctx)
	for _, pod := range pods {
		group.Go(func() error {
			stream, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: follow}).Stream(ctx)
			if err != nil {
				return fmt.Errorf("reading the log of pod %s: %w", pod.Name, err)
			}
			defer stream.Close()
			if _, err := io.Copy(shared, stream); err != nil && ctx.Err() == nil {
				return fmt.Errorf("reading the log of pod %s: %w", pod.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// findPods returns the pods of component in the demo's namespaces.
func findPods(ctx context.Context, client kubernetes.Interface, component string) ([]corev1.Pod, error) {
	namespaces := []string{demo.FluxNamespace, demo.DemoNamespace, demo.AppNamespace}
	namespace, name, exact := strings.Cut(component, "/")
	if exact {
		namespaces = []string{namespace}
	} else {
		name = component
	}
	var found []corev1.Pod
	for _, namespace := range namespaces {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("listing pods: %w", err)
		}
		for _, pod := range pods.Items {
			if pod.Name == name || pod.Labels["app"] == name || pod.Labels["app.kubernetes.io/name"] == name {
				found = append(found, pod)
			}
		}
	}
	return found, nil
}

// locked lets several streams write to one place.
type locked struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}
