package builtin

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Chain is a walk with the walks that it needs, in the order in which they run.
type Chain struct {
	Arg   string // what the user has to type for it
	Walk  *walk.Walk
	Needs []*walk.Walk
}

// Names lists the walks that come with the program.
func Names() []string {
	files, err := fs.Glob(Files, "*.md")
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
		source, err := fs.ReadFile(Files, name+".md")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no walk %q; valid values: %s", name, strings.Join(Names(), ", "))
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

// Load reads a walk, by its name or by the path of its file, and the walks that it needs. A mistake in a file is a
// *walk.SyntaxError.
func Load(arg string) (*Chain, error) {
	w, err := loadWalk(arg)
	if err != nil {
		return nil, err
	}
	c := &Chain{Arg: arg, Walk: w}
	return c, c.need(w, arg, []string{w.Name})
}

// need adds what w needs, the first to run first. A walk of the user's own may need others in its folder.
// path are the walks on the way from the chain's first to w.
func (c *Chain) need(w *walk.Walk, arg string, path []string) error {
	for i, name := range w.Needs {
		if slices.Contains(path, name) {
			return w.NeedError(i, fmt.Sprintf("the walks need each other in a cycle: %s, %s", strings.Join(path, ", "), name))
		}
		if slices.ContainsFunc(c.Needs, func(other *walk.Walk) bool { return other.Name == name }) {
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
		if err := c.need(needed, from, append(path, name)); err != nil {
			return err
		}
		c.Needs = append(c.Needs, needed)
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// All returns the walks that come with the program, those that others need first.
func All() ([]*Chain, error) {
	all := map[string]*Chain{}
	for _, name := range Names() {
		c, err := Load(name)
		if err != nil {
			return nil, err
		}
		all[name] = c
	}
	var order []*Chain
	add := func(name string) {
		if !slices.Contains(order, all[name]) {
			order = append(order, all[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, needed := range all[name].Needs {
			add(needed.Name)
		}
		add(name)
	}
	return order, nil
}
