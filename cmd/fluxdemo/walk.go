package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walks"
)

func newWalk(o *options) *cobra.Command {
	var auto bool
	cmd := &cobra.Command{
		Use:   "walk NAME",
		Short: "Tell a story on the live cluster, one step at a time",
		Long: `Runs a walk: shows what each step is about and the commands it types, runs
them when you press Enter, and checks that the state is there.

The walks: ` + strings.Join(walkNames(), ", ") + `.
A path to a Markdown file runs a walk of your own.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(walkNames(), cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			story, err := loadWalk(args[0])
			if err != nil {
				return usageError{err}
			}
			cluster, err := o.runningCluster(cmd.Context())
			if err != nil {
				return err
			}
			runner, err := o.runner(cmd.Context(), cluster, story)
			if err != nil {
				return err
			}
			screen := walk.NewScreen(cmd.OutOrStdout(), os.Environ())
			if auto {
				return walk.Auto(cmd.Context(), runner, screen)
			}
			return walk.Interactive(cmd.Context(), runner, screen, cmd.InOrStdin())
		},
	}
	cmd.Flags().BoolVar(&auto, "auto", false, "run all steps without asking, and fail if one does")
	return cmd
}

// walkNames lists the walks that come with the program.
func walkNames() []string {
	files, err := fs.Glob(walks.Files, "*.md")
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
		source, err := fs.ReadFile(walks.Files, name+".md")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no walk %q; there is: %s", name, strings.Join(walkNames(), ", "))
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

// runner prepares the work folder and the environment of a walk.
func (o *options) runner(ctx context.Context, cluster clusters.Cluster, story *walk.Walk) (*walk.Runner, error) {
	dir := filepath.Join(cluster.Dir(), "walks", story.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the walk's folder: %w", err)
	}
	env, err := o.environment(ctx, cluster)
	if err != nil {
		return nil, err
	}
	variables := append(os.Environ(), env.List()...)
	// The same commits and the same output whoever runs it: the user's own
	// git configuration has no part in it.
	variables = append(variables,
		"GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@localhost",
		"GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@localhost",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat",
	)
	return walk.NewRunner(story, walk.Options{
		Env: variables,
		Dir: dir,
		Ready: func(ctx context.Context) error {
			_, err := up(ctx, cluster, o.bundleDir, silent{})
			return err
		},
	})
}

// silent is a display of steps that shows nothing.
type silent struct{}

func (silent) Start(string) func(error) { return func(error) {} }
