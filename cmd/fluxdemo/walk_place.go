package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// story is a walk with the walks that it needs, in the order in which to bring them about.
type story struct {
	arg   string // what the user has to type for it
	walk  *walk.Walk
	needs []*walk.Walk
}

// walkNames lists the walks that come with the program.
func walkNames() []string {
	files, err := fs.Glob(builtin.Files, "*.md")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file, ".md"))
	}
	return names
}

// loadWalk reads the walk called name, or the file at that path.
func loadWalk(name string) (*walk.Walk, error) {
	if !strings.ContainsAny(name, "/.") {
		source, err := fs.ReadFile(builtin.Files, name+".md")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no walk %q; valid values: %s", name, strings.Join(walkNames(), ", "))
		}
		if err != nil {
			return nil, err
		}
		return walk.Parse(name+".md", source)
	}
	source, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the walk: %w", err)
	}
	return walk.Parse(name, source)
}

// loadStory reads a walk and the walks that it needs.
func loadStory(arg string) (*story, error) {
	w, err := loadWalk(arg)
	if err != nil {
		return nil, err
	}
	s := &story{arg: arg, walk: w}
	return s, s.need(w, arg, []string{w.Name})
}

// need adds what w needs, the first to bring about first. A walk of the user's own may need others in its folder.
// path are the walks on the way from the story to w.
func (s *story) need(w *walk.Walk, arg string, path []string) error {
	for i, name := range w.Needs {
		if slices.Contains(path, name) {
			return w.NeedError(i, fmt.Sprintf("the walks need each other: %s, %s", strings.Join(path, ", "), name))
		}
		if slices.ContainsFunc(s.needs, func(other *walk.Walk) bool { return other.Name == name }) {
			continue
		}
		from := name
		if beside := filepath.Join(filepath.Dir(arg), name+".md"); strings.ContainsAny(arg, "/.") && exists(beside) {
			from = beside
		}
		needed, err := loadWalk(from)
		if err != nil {
			var syntax *walk.SyntaxError
			if errors.As(err, &syntax) {
				return err
			}
			return w.NeedError(i, err.Error())
		}
		if err := s.need(needed, from, append(path, name)); err != nil {
			return err
		}
		s.needs = append(s.needs, needed)
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// shipped returns the walks that come with the program, those that others need first.
func shipped() ([]*story, error) {
	all := map[string]*story{}
	for _, name := range walkNames() {
		s, err := loadStory(name)
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	var order []*story
	add := func(name string) {
		if !slices.Contains(order, all[name]) {
			order = append(order, all[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, needed := range all[name].needs {
			add(needed.Name)
		}
		add(name)
	}
	return order, nil
}

// place is where walks run: a running cluster, with everything that their commands need.
type place struct {
	o       *options
	cluster clusters.Cluster
	client  client.WithWatch
	env     []string
	git     walk.Git // nil when there is no Git host
}

func (o *options) place(ctx context.Context) (*place, error) {
	cluster, err := o.runningCluster(ctx)
	if err != nil {
		return nil, err
	}
	p := &place{o: o, cluster: cluster}
	if p.client, err = demo.Connect(cluster.Kubeconfig()); err != nil {
		return nil, err
	}
	prepared, err := o.prepareShell(ctx, cluster)
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
		URL: urls.Git, User: demo.GitUser, Password: password, Copy: filepath.Join(cluster.Dir(), fleetFolder),
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
func (o *options) commandEnviron(demo *shell.Demo) []string {
	base, ownHome := environ.Base, true
	switch there, _ := o.providers().Of(o.name); there.Name {
	case kind.Provider:
		base, ownHome = environ.Engine, false
	case existing.Provider:
		base, ownHome = environ.Guest, false
	}
	return demo.Commands(base(os.Environ()), ownHome, xdg.StateHome, o.name)
}

// flag is what the user has to add to name this cluster.
func (p *place) flag() string {
	if p.o.name == "fluxdemo" {
		return ""
	}
	return " --name " + p.o.name
}

// dir is the work folder of a walk.
func (p *place) dir(name string) string { return filepath.Join(p.cluster.Dir(), walksFolder, name) }

// allows returns an error, which says where it can run, if a story needs a cluster of its own and this one is not.
func (p *place) allows(s *story) error {
	if _, guest := p.cluster.(clusters.Guest); !guest {
		return nil
	}
	if err := walk.CheckGuest(append([]*walk.Walk{s.walk}, s.needs...)...); err != nil {
		return usageError{fmt.Errorf("%w: `fluxdemo up --name own --cluster embedded`, then `fluxdemo walk %s --name own`", err, s.arg)}
	}
	return nil
}

// open takes up a story. How says whether it starts afresh or comes back to where it was; the rest of it is filled in.
func (p *place) open(ctx context.Context, s *story, how walk.SessionOptions) (*walk.Session, error) {
	if err := p.allows(s); err != nil {
		return nil, err
	}
	options := func(w *walk.Walk) (walk.Options, error) {
		dir := p.dir(w.Name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return walk.Options{}, fmt.Errorf("making the walk's folder: %w", err)
		}
		return walk.Options{Env: p.env, Dir: dir, Ready: func(ctx context.Context) error {
			_, err := p.o.up(ctx, p.cluster, nil, silent{})
			return err
		}}, nil
	}
	runner, err := options(s.walk)
	if err != nil {
		return nil, err
	}
	_, how.Guest = p.cluster.(clusters.Guest)
	how.Runner, how.File, how.Git = runner, p.dir(s.walk.Name)+".json", p.git
	how.Diagnose = func(ctx context.Context) string { return health.Diagnose(ctx, p.client) }
	for _, w := range s.needs {
		ro, err := options(w)
		if err != nil {
			return nil, err
		}
		r, err := walk.NewRunner(w, ro)
		if err != nil {
			return nil, err
		}
		how.Needs = append(how.Needs, r)
	}
	return walk.Open(ctx, s.walk, how)
}

// silent is a display of steps that shows nothing.
type silent struct{}

func (silent) Start(string) func(error) { return func(error) {} }
