package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/adrg/xdg"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
	"github.com/fluxdemo/fluxdemo/clusters/kind"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/health"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/shell"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

// Environment is what the commands of walks run in: a running cluster, with folders, variables and the fleet.
type Environment struct {
	o       *Options
	cluster clusters.Cluster
	client  client.WithWatch
	env     []string
	git     walk.Git // nil when there is no Git host
}

func (o *Options) Environment(ctx context.Context) (*Environment, error) {
	cluster, err := o.Running(ctx)
	if err != nil {
		return nil, err
	}
	p := &Environment{o: o, cluster: cluster}
	if p.client, err = demo.Connect(cluster.Kubeconfig()); err != nil {
		return nil, err
	}
	prepared, err := o.PrepareShell(ctx, cluster)
	if err != nil {
		return nil, err
	}
	p.env = o.commandEnviron(prepared)
	urls, err := demo.FindURLs(ctx, p.client, cluster)
	if err != nil || urls.Git == "" {
		return p, err
	}
	password, err := demo.GitPassword(ctx, p.client)
	if err != nil {
		return nil, err
	}
	owner, err := ownership.New(p.client, cluster)
	if err != nil {
		return nil, err
	}
	repository := &fleet.Repository{
		URL: urls.Git, User: demo.GitUser, Password: password, Copy: filepath.Join(cluster.Dir(), FleetFolder),
		Followers: &fleet.Followers{
			Client: p.client, Namespace: demo.FluxNamespace, Name: demo.SyncName,
			Ours: func(o *unstructured.Unstructured) bool { return owner.Check(ctx, o) == nil },
		},
	}
	p.git = repository
	// Walks start from it, and a cluster of an earlier version has not kept it.
	_, err = repository.Beginning(ctx, demo.BeginningFile(cluster))
	return p, err
}

// commandEnviron is the environment of a walk's commands: the same commits and the same output whoever runs it. What
// the cluster needs is the user's own: the engine that runs it, or the credentials and the proxy that lead there.
func (o *Options) commandEnviron(demo *shell.Demo) []string {
	base, ownHome := environ.Base, true
	switch there, _ := o.Providers().Of(o.Name); there.Name {
	case kind.Provider:
		base, ownHome = environ.Engine, false
	case existing.Provider:
		base, ownHome = environ.Guest, false
	}
	return demo.Commands(base(os.Environ()), ownHome, xdg.StateHome, o.Name)
}

// Flag is what the user has to add to name this cluster.
func (p *Environment) Flag() string {
	if p.o.Name == "fluxdemo" {
		return ""
	}
	return " --name " + p.o.Name
}

// Dir is the work folder of a walk.
func (p *Environment) Dir(name string) string {
	return filepath.Join(p.cluster.Dir(), WalksFolder, name)
}

// Allows returns an error, which says where it can run, if a walk needs a cluster of its own and this one is not.
func (p *Environment) Allows(s *builtin.Chain) error {
	if _, guest := p.cluster.(clusters.Guest); !guest {
		return nil
	}
	if err := walk.CheckGuest(append([]*walk.Walk{s.Walk}, s.Needs...)...); err != nil {
		return Usage(fmt.Errorf("%w: `fluxdemo up --name own --cluster embedded`, then `fluxdemo walk %s --name own`", err, s.Arg))
	}
	return nil
}

// Open takes up a walk. how says whether it starts afresh or comes back to where it was; the rest of it is filled in.
func (p *Environment) Open(ctx context.Context, s *builtin.Chain, how walk.SessionOptions) (*walk.Session, error) {
	if err := p.Allows(s); err != nil {
		return nil, err
	}
	Options := func(w *walk.Walk) (walk.Options, error) {
		dir := p.Dir(w.Name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return walk.Options{}, fmt.Errorf("making the walk's folder: %w", err)
		}
		return walk.Options{Env: p.env, Dir: dir, Ready: func(ctx context.Context) error {
			_, err := p.o.Up(ctx, p.cluster, nil, silent{})
			return err
		}}, nil
	}
	runner, err := Options(s.Walk)
	if err != nil {
		return nil, err
	}
	_, how.Guest = p.cluster.(clusters.Guest)
	how.Runner, how.File, how.Git = runner, p.Dir(s.Walk.Name)+".json", p.git
	how.Diagnose = func(ctx context.Context) string { return health.Diagnose(ctx, p.client) }
	for _, w := range s.Needs {
		ro, err := Options(w)
		if err != nil {
			return nil, err
		}
		r, err := walk.NewRunner(w, ro)
		if err != nil {
			return nil, err
		}
		how.Needs = append(how.Needs, r)
	}
	return walk.Open(ctx, s.Walk, how)
}

// silent is a display of steps that shows nothing.
type silent struct{}

func (silent) Start(string) func(error) { return func(error) {} }

// Learning is the file that names the walk being learnt, for check, hint and solve in another shell.
func (p *Environment) Learning() string { return p.Dir("learning") + ".walk" }
