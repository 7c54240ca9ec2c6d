package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
	"github.com/fluxdemo/fluxdemo/demo"
)

// bare is Flux with an API server, as processes of this program.
type bare struct {
	o          options
	dir        string
	kubeconfig string
	processes  []*process.Process
}

// run starts a process with its log in the folder logs. The process ends
// with this program at the latest.
func (b *bare) run(name string, spec process.Spec) (*process.Process, error) {
	logs := filepath.Join(b.dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	log, err := process.OpenLog(filepath.Join(logs, name+".log"), 10<<20, 1)
	if err != nil {
		return nil, err
	}
	spec.Name, spec.Output = name, log
	spec.Env = append([]string{"HOME=" + b.dir, "TMPDIR=" + os.TempDir(), "PATH=" + os.Getenv("PATH")}, spec.Env...)
	p, err := process.Start(spec)
	if err != nil {
		return nil, err
	}
	b.processes = append(b.processes, p)
	return p, nil
}

// stop ends everything, the last one first.
func (b *bare) stop() {
	for _, p := range slices.Backward(b.processes) {
		p.Stop(0)
	}
}

// controlPlane starts etcd and kube-apiserver with the flags that a cluster
// gives them. Flux needs no more: nothing is scheduled, and what is in the
// fleet are only objects here.
func (b *bare) controlPlane(port int) error {
	keys, err := pki.Ensure(filepath.Join(b.dir, "pki"))
	if err != nil {
		return err
	}
	config := controlplane.Config{Dir: b.dir, PKI: keys, Port: port, NodePorts: "30000-32767"}
	components, err := controlplane.Components(config)
	if err != nil {
		return err
	}
	b.kubeconfig = filepath.Join(b.dir, "kubeconfig")
	if err := config.WriteKubeconfig(b.kubeconfig, pki.Admin); err != nil {
		return err
	}
	for _, component := range components {
		if component.Name != controlplane.Etcd && component.Name != controlplane.APIServer {
			continue
		}
		_, err := b.run(component.Name, process.Spec{
			Path: filepath.Join(b.o.bundle, "kube"),
			Args: component.Args,
			Env:  component.Env,
			Dir:  filepath.Join(b.dir, controlplane.RunDir),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// services starts the Git host, which calls webhook, and the inbox.
func (b *bare) services(ctx context.Context, d direct, webhook string) error {
	for _, service := range []struct {
		name string
		port int
		args []string
		env  []string
	}{
		{"git", d.git, []string{"--root=" + filepath.Join(b.dir, "git")}, []string{
			"GIT_USERNAME=" + demo.GitUser, "GIT_PASSWORD=" + barePassword,
			"WEBHOOK_URL=" + webhook, "WEBHOOK_TOKEN=" + bareToken,
		}},
		{"inbox", d.inbox, nil, nil},
	} {
		p, err := b.run(service.name, process.Spec{
			Path: b.o.fluxdemo,
			Args: append([]string{"serve", service.name, fmt.Sprintf("--addr=127.0.0.1:%d", service.port)}, service.args...),
			Env:  service.env,
		})
		if err != nil {
			return err
		}
		if err := answers(ctx, p, local(service.port)+"/healthz"); err != nil {
			return fmt.Errorf("%s: %w", service.name, err)
		}
	}
	return nil
}

// controllers starts Flux's controllers with the flags of its manifests.
// notification-controller comes first: the others send their events to it
// and stall if no receiver accepts them.
func (b *bare) controllers(ctx context.Context, d direct) error {
	events := fmt.Sprintf("--events-addr=%s/", local(d.events))
	storage := filepath.Join(b.dir, "storage")
	if err := os.Mkdir(storage, 0o700); err != nil {
		return err
	}
	for _, controller := range []struct {
		name string
		args []string
	}{
		{"notification-controller", []string{
			fmt.Sprintf("--events-addr=127.0.0.1:%d", d.events), fmt.Sprintf("--receiverAddr=127.0.0.1:%d", d.receiver),
		}},
		{"source-controller", []string{
			events, "--storage-path=" + storage,
			fmt.Sprintf("--storage-addr=127.0.0.1:%d", d.storage), fmt.Sprintf("--storage-adv-addr=127.0.0.1:%d", d.storage),
		}},
		{"kustomize-controller", []string{events, "--requeue-dependency=2s"}},
	} {
		ports, err := freePorts(2)
		if err != nil {
			return err
		}
		p, err := b.run(controller.name, process.Spec{
			Path: filepath.Join(b.o.bundle, controller.name),
			Args: append([]string{
				"--watch-all-namespaces=true", "--log-level=info", "--log-encoding=json", "--enable-leader-election=false",
				fmt.Sprintf("--metrics-addr=127.0.0.1:%d", ports[0]), fmt.Sprintf("--health-addr=127.0.0.1:%d", ports[1]),
			}, controller.args...),
			Env: []string{"KUBECONFIG=" + b.kubeconfig, "RUNTIME_NAMESPACE=" + demo.FluxNamespace, "GOMEMLIMIT=1GiB"},
			Dir: b.dir,
		})
		if err != nil {
			return err
		}
		if err := answers(ctx, p, local(ports[1])+"/readyz"); err != nil {
			return fmt.Errorf("%s: %w", controller.name, err)
		}
	}
	return nil
}

// answers returns when the process answers a GET of url with 200, or with an
// error once it has ended.
func answers(ctx context.Context, p *process.Process, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("it does not answer"))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-p.Done():
			end(errors.New(p.Exit().String()))
		case <-ctx.Done():
		}
	}()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return poll(ctx, func(ctx context.Context) error { return look(ctx, client, url, "") })
}
