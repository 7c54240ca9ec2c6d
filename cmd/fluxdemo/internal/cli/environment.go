package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/adrg/xdg"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"mvdan.cc/sh/v3/syntax"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
	"github.com/fluxdemo/fluxdemo/clusters/kind"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/health"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/shell"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

// Environment is what the commands of walks run in: a running cluster, folders, variables, and the fleet.
type Environment struct {
	o       *Options
	cluster clusters.Cluster
	client  client.WithWatch
	shell   *shell.Demo
	env     []string
	git     walk.Git // nil when there is no Git host
	urls    demo.URLs
}

// Environment prepares the environment of the running cluster. It fails if the cluster does not run.
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
	p.shell, p.env = prepared, o.commandEnviron(prepared)
	urls, err := demo.FindURLs(ctx, p.client, cluster)
	p.urls = urls
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
	// Walks start from the fleet's first commit. A cluster of an earlier version may not have saved it.
	_, err = repository.Beginning(ctx, demo.BeginningFile(cluster))
	return p, err
}

// commandEnviron returns the variables of a walk's commands. They give the same commits and output for every user.
// Only what the cluster needs comes from the user: the container engine, or the credentials and the proxy.
func (o *Options) commandEnviron(demo *shell.Demo) []string {
	base, ownHome := o.baseEnviron()
	return demo.Commands(base, ownHome, xdg.StateHome, o.Name)
}

// baseEnviron returns what the cluster's provider needs of the user's environment. alone says that nothing at the user's
// home is needed.
func (o *Options) baseEnviron() (base environ.Environ, alone bool) {
	switch there, _ := o.Providers().Of(o.Name); there.Name {
	case kind.Provider:
		return environ.Engine(os.Environ()), false
	case existing.Provider:
		return environ.Guest(os.Environ()), false
	}
	return environ.Base(os.Environ()), true
}

// Shell returns the environment of a learner's own shell: what `fluxdemo env` sets, and nothing of the user's that
// commands do not need.
func (p *Environment) Shell(ctx context.Context) []string {
	base, _ := p.o.baseEnviron()
	return p.shell.Terminal(ctx, base.With("XDG_STATE_HOME", xdg.StateHome), os.Environ(), p.o.Name)
}

// Flag returns what the user has to add to a command for this cluster: " --name NAME", or "" for the default name.
func (p *Environment) Flag() string { return p.o.Called().Flag }

// Called returns how the user called this program.
func (p *Environment) Called() called.Program { return p.o.Called() }

// URLs returns the addresses of the demo's pages; those that the cluster lacks are "".
func (p *Environment) URLs() demo.URLs { return p.urls }

// Dir returns the work folder of a walk.
func (p *Environment) Dir(name string) string {
	return filepath.Join(p.cluster.Dir(), WalksFolder, name)
}

// Allows returns an error if a walk needs a cluster of its own and this one is the user's. The error says how to make one.
func (p *Environment) Allows(s *builtin.Chain) error {
	if _, guest := p.cluster.(clusters.Guest); !guest {
		return nil
	}
	if err := walk.CheckGuest(append([]*walk.Walk{s.Walk}, s.Needs...)...); err != nil {
		return Usage(fmt.Errorf("%w: `fluxdemo up --name own --cluster embedded`, then `fluxdemo walk %s --name own`", err, s.Arg))
	}
	return nil
}

// Open opens a walk. how says whether the walk starts again or resumes; Open fills in its other fields.
func (p *Environment) Open(ctx context.Context, s *builtin.Chain, how walk.SessionOptions) (*walk.Session, error) {
	if err := p.Allows(s); err != nil {
		return nil, err
	}
	Options := func(w *walk.Walk) (walk.Options, error) {
		dir := p.Dir(w.Name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return walk.Options{}, fmt.Errorf("creating the walk's folder: %w", err)
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
	how.Runner, how.File, how.Git = runner, p.Progress(s.Walk.Name), p.git
	how.Diagnose = func(ctx context.Context) string {
		return plaintext.Text(p.Called().Text(health.Diagnose(ctx, p.client)))
	}
	how.Explain = func(ctx context.Context, args []string) string {
		return plaintext.Text(health.Unmet(ctx, p.client, args))
	}
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

// silent implements clusters.Steps and shows nothing.
type silent struct{}

func (silent) Start(string) func(error) { return func(error) {} }

// Learning returns the file that names the walk being learnt, for check, hint, and solve in another shell.
func (p *Environment) Learning() string { return p.Dir("learning") + ".walk" }

// Learn saves the name or path of the walk that is being learnt from now on.
func (p *Environment) Learn(arg string) (err error) {
	if strings.ContainsAny(arg, "/.") {
		if arg, err = filepath.Abs(arg); err != nil {
			return err
		}
	}
	if err := statefile.Write(p.Learning(), []byte(arg+"\n"), 0o600); err != nil {
		return fmt.Errorf("saving the name of the walk: %w", err)
	}
	return nil
}

// Progress returns the file with the progress of a walk.
func (p *Environment) Progress(name string) string { return p.Dir(name) + ".json" }

// First returns the lines that a learner types first, in a shell that has the demo's environment.
func (p *Environment) First(w *walk.Walk) ([]string, error) {
	switch {
	case w.Clone == "":
		dir, err := syntax.Quote(p.Dir(w.Name), syntax.LangPOSIX)
		if err != nil {
			return nil, fmt.Errorf("quoting the path of the walk's folder: %w", err)
		}
		return []string{"cd " + dir}, nil
	case w.CloneStep() < 0:
		return []string{"fluxdemo clone " + w.Clone, "cd " + w.Clone}, nil
	}
	return nil, nil
}

// LearnerDir returns the folder for what learners make in the walk called name. It exists. If the walk starts anew, it is
// empty: what an earlier run has left is in another one.
func (p *Environment) LearnerDir(name string, anew bool) (string, error) {
	base := filepath.Join(p.cluster.Dir(), LearnFolder, name)
	dir := base
	for n := 2; ; n++ {
		next := fmt.Sprintf("%s-%d", base, n)
		left, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading the learner's folder: %w", err)
		}
		if _, err := os.Lstat(next); anew && len(left) == 0 || !anew && err != nil {
			break
		}
		dir = next
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating the learner's folder: %w", err)
	}
	return dir, nil
}
