package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	"github.com/fluxcd/pkg/ssa/utils"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// pushToProcesses does what pushToCluster does with the same programs, run
// directly: no node, no proxy, no Services, every address 127.0.0.1. Nothing
// runs the app, so there is no page.
func pushToProcesses(ctx context.Context, o options) (s pushSamples, err error) {
	temp, err := os.MkdirTemp("", "fluxdemo-bench-bare-")
	if err != nil {
		return s, err
	}
	b := &bare{o: o, dir: temp}
	defer func() {
		b.stop()
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w; see the logs in %s", err, b.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(b.dir))
	}()
	starting, cancel := context.WithTimeoutCause(ctx, upTimeout, fmt.Errorf("not up after %s", upTimeout))
	defer cancel()
	work, err := b.start(starting)
	if err != nil {
		return s, err
	}
	return pushes(ctx, o, work, b.kubeconfig, "")
}

// direct is where the parts find each other.
type direct struct {
	api, storage, events, receiver, git, inbox int
}

func (d direct) replacer() *strings.Replacer {
	return strings.NewReplacer(
		"http://git.fluxdemo.svc.cluster.local", local(d.git),
		"http://inbox.fluxdemo.svc.cluster.local", local(d.inbox),
	)
}

func local(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

const (
	bareToken    = "bare-webhook-token" // of a cluster that lives for a minute on loopback
	barePassword = "bare-password"
)

// start brings everything up and returns a working copy to push from.
func (b *bare) start(ctx context.Context) (workingCopy, error) {
	work := workingCopy{dir: filepath.Join(b.dir, "fleet"), env: append(os.Environ(), gitEnv()...)}
	ports, err := freePorts(6)
	if err != nil {
		return work, err
	}
	d := direct{ports[0], ports[1], ports[2], ports[3], ports[4], ports[5]}
	if err := b.controlPlane(d.api); err != nil {
		return work, err
	}
	c, err := demo.Connect(b.kubeconfig)
	if err != nil {
		return work, err
	}
	if err := b.install(ctx, c); err != nil {
		return work, err
	}
	receiver := &notificationv1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: demo.FluxNamespace, Name: demo.SyncName}}
	if err := b.services(ctx, d, local(d.receiver)+receiver.GetWebhookPath(bareToken)); err != nil {
		return work, err
	}
	if err := b.controllers(ctx, d); err != nil {
		return work, err
	}
	credentials := filepath.Join(b.dir, "git-credentials")
	line := fmt.Sprintf("http://%s:%s@127.0.0.1:%d\n", demo.GitUser, barePassword, d.git)
	if err := os.WriteFile(credentials, []byte(line), 0o600); err != nil {
		return work, err
	}
	fleet, err := manifests.Fleet(manifests.Source{})
	if err != nil {
		return work, err
	}
	if err := work.create(ctx, fleet, d.replacer(), local(d.git)+demo.Repository, "store --file="+credentials); err != nil {
		return work, err
	}
	return work, b.sync(ctx, c, d)
}

// install applies Flux's definitions, which is all of Flux that is needed
// where the controllers are no pods.
func (b *bare) install(ctx context.Context, c client.Client) error {
	raw, err := os.ReadFile(filepath.Join(b.o.bundle, "flux.yaml"))
	if err != nil {
		return err
	}
	objects, err := manifests.Flux(raw, manifests.ForDemo)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if !utils.IsClusterDefinition(object) {
			continue
		}
		if err := create(ctx, c, object); err != nil {
			return err
		}
	}
	return create(ctx, c, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: demo.FluxNamespace, Name: "webhook-token"},
		StringData: map[string]string{"token": bareToken},
	})
}

// sync has Flux follow the repository and returns when it has applied it.
func (b *bare) sync(ctx context.Context, c client.Client, d direct) error {
	objects, err := manifests.Sync(manifests.Source{})
	if err != nil {
		return err
	}
	for _, object := range objects {
		raw, err := json.Marshal(object)
		if err != nil {
			return err
		}
		changed := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(d.replacer().Replace(string(raw))), changed); err != nil {
			return err
		}
		if err := create(ctx, c, changed); err != nil {
			return err
		}
	}
	for _, t := range []target{gitRepository(), kustomizations("flux-system"), kustomizations("apps"), receivers()} {
		if _, err := await(ctx, b.kubeconfig, t, ready); err != nil {
			return err
		}
	}
	return nil
}

// create creates an object as soon as the API server takes it: it may not
// answer yet, or not serve the object's kind yet.
func create(ctx context.Context, c client.Client, object client.Object) error {
	err := poll(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := c.Create(ctx, object)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("creating %s %s: %w", object.GetObjectKind().GroupVersionKind().Kind, object.GetName(), err)
	}
	return nil
}

// freePorts returns free ports on 127.0.0.1.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer listener.Close() // after all are taken, so that none comes twice
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
