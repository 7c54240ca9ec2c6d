package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/supervisor"
	"github.com/fluxdemo/fluxdemo/clusters/internal/apiserver"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
)

// hungTime is how long up and down wait for a supervisor that does not answer,
// before they end it: a machine that has just woken up takes a while.
const hungTime = 10 * time.Second

// reach finds the supervisor. One that does not answer gets time.
func (c *Cluster) reach(ctx context.Context, report clusters.Steps) (client *supervisor.Client, status supervisor.Status, err error) {
	client, status, err = supervisor.Dial(ctx, c.dir)
	if !errors.Is(err, supervisor.ErrHung) {
		return client, status, err
	}
	end := report.Start(fmt.Sprintf("supervisor (process %d) does not answer", supervisor.Process(c.dir).PID()))
	client, status, err = c.patient(ctx)
	end(nil)
	return client, status, err
}

// patient gives a supervisor that does not answer time.
func (c *Cluster) patient(ctx context.Context) (client *supervisor.Client, status supervisor.Status, err error) {
	late := time.Now().Add(hungTime)
	for {
		client, status, err = supervisor.Dial(ctx, c.dir)
		if !errors.Is(err, supervisor.ErrHung) || time.Now().After(late) {
			return client, status, err
		}
	}
}

// patience is how long a part gets to answer before it is restarted, and to
// answer after it.
const patience = 30 * time.Second

// repair writes the kubeconfig, if it was damaged, restarts what does not
// answer, and waits for components that are restarting just now.
func (c *Cluster) repair(ctx context.Context, client *supervisor.Client, status supervisor.Status, report clusters.Steps) error {
	if err := supervisor.EnsureKubeconfig(c.dir, status.Settings); err != nil {
		return err
	}
	status, err := client.Health(ctx)
	if err != nil {
		return fmt.Errorf("asking the supervisor: %w; `fluxdemo down --keep-data` and `fluxdemo up` restart the cluster", err)
	}
	if names := unwell(status); len(names) > 0 {
		return steps.One(ctx, report, strings.Join(names, ", "), func(ctx context.Context) error { return c.heal(ctx, client) })
	}
	return nil
}

// unwell names what does not run, or does not answer.
func unwell(status supervisor.Status) []string {
	var names []string
	for _, component := range status.Components {
		if component.State != "Running" {
			names = append(names, component.Name)
		}
	}
	for _, pod := range status.Pods {
		if pod.Silent {
			names = append(names, pod.Pod)
		}
	}
	return names
}

// heal restarts what does not answer, and returns when everything does. What
// has been restarted once gets time.
func (c *Cluster) heal(ctx context.Context, client *supervisor.Client) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := client.Heal(ctx); err != nil {
		return fmt.Errorf("restarting what does not answer: %w", err)
	}
	for {
		status, err := client.Health(ctx)
		names := unwell(status)
		if err == nil && len(names) == 0 {
			return apiserver.AwaitReady(ctx, c.Kubeconfig(), patience)
		}
		if !backoff.Pause(ctx, healAgain) {
			return fmt.Errorf("%s: no answer within %s; `fluxdemo down --keep-data` and `fluxdemo up` restart the cluster", strings.Join(names, ", "), patience)
		}
	}
}

// healAgain is the pause between two looks at what restarts: the supervisor
// asks each part anew.
const healAgain = 100 * time.Millisecond
