// Package learning is the command that opens a walk in the browser for a learner. It prepares the walk, the cluster's
// live states, and a shell, and hands them to slides/learn.
package learning

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/serving"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/slides/learn"
	"github.com/fluxdemo/fluxdemo/slides/terminal"
)

// flags are those of the command learn.
type flags struct {
	port               int
	noOpen, noTerminal bool
}

// New makes the command learn.
func New(o *cli.Options) *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "learn NAME",
		Short: "Show a walk in the browser for you to do",
		Long: `Serves a page until you press Ctrl-C. It has the task of each step, hints, and
what is still missing, beside a live diagram and a terminal with a shell that
is ready for kubectl, flux, and git. A step is done when its checks pass.

The address contains a token: who has it can use the shell. The page and
"fluxdemo check", "hint", and "solve" in any shell share their progress, and the
next run resumes there.

The walks: ` + strings.Join(builtin.Names(), ", ") + `.
To learn a walk of your own, give the path of its Markdown file.`,
		Example: `  fluxdemo learn gitops
  fluxdemo learn gitops --no-terminal   # you have a terminal of your own
  fluxdemo learn ./mine.md --no-open    # only print the address`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(builtin.Names(), cobra.ShellCompDirectiveDefault),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.port < 0 || f.port > 65535 {
				return cli.Usage(fmt.Errorf("--port=%d: must be from 0 to 65535", f.port))
			}
			chain, err := builtin.Load(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			return f.run(cmd, o, chain)
		},
	}
	cmd.Flags().IntVar(&f.port, "port", 0, "port on 127.0.0.1 (default: any free port)")
	cmd.Flags().BoolVar(&f.noOpen, "no-open", false, "only print the address, and open no browser")
	cmd.Flags().BoolVar(&f.noTerminal, "no-terminal", false, "show the page without a terminal, for a shell of your own")
	return cmd
}

// run serves the page for a walk.
func (f *flags) run(cmd *cobra.Command, o *cli.Options, chain *builtin.Chain) (err error) {
	ctx := cmd.Context()
	env, err := o.Environment(ctx)
	if err != nil {
		return err
	}
	session, err := env.Open(ctx, chain, walk.SessionOptions{Learner: true})
	if err != nil {
		return err
	}
	dir, err := env.LearnerDir(chain.Walk.Name, !session.Resumed())
	if err != nil {
		return err
	}
	po := learn.Options{Session: session, Progress: env.Progress(chain.Walk.Name), Defaults: binding.DemoDefaults()}
	if po.First, err = env.First(chain.Walk); err != nil {
		return err
	}
	po.Again, po.Links = env.Called().Command("learn "+chain.Arg), links(env.URLs())
	if f.noTerminal {
		po.First = append([]string{`eval "$(` + env.Called().Command("env") + `)"`}, po.First...)
	} else if po.Shell, err = newShell(env.Shell(ctx), shellDir(dir, session)); err != nil {
		return err
	}
	if watcher, _, err := serving.Watch(ctx, o); err == nil {
		po.Live = watcher
	} else {
		fmt.Fprintln(cmd.ErrOrStderr(), "The diagram is not live: "+err.Error())
	}
	page, err := learn.New(po)
	if err != nil {
		return cli.Usage(err)
	}
	ln, err := serving.Listen(ctx, f.port)
	if err != nil {
		return err
	}
	if err := env.Learn(chain.Arg); err != nil {
		ln.Close()
		return err
	}
	defer func() {
		if !session.Started() { // it has ended
			err = errors.Join(err, os.Remove(env.Learning()))
		}
	}()
	address := "http://" + ln.Addr().String() + "/#token=" + page.Token()
	fmt.Fprintf(cmd.OutOrStdout(), "Page:  %s\n", address)
	fmt.Fprintln(cmd.ErrOrStderr(), "Press Ctrl-C to end the page and its shell. The progress is kept.")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		if f.noOpen {
			return
		}
		remove, err := serving.Open(ctx, address, filepath.Dir(dir))
		defer remove()
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
		}
		<-ctx.Done() // the browser may read the file late
	}()
	err = page.Serve(ctx, ln)
	cancel()
	<-opened
	return err
}

// links returns the pages of a demo.
func links(urls demo.URLs) []learn.Link {
	var all []learn.Link
	for _, link := range []learn.Link{{Name: "App", URL: urls.App}, {Name: "Git", URL: urls.Git}, {Name: "Inbox", URL: urls.Inbox}} {
		if link.URL != "" {
			all = append(all, link)
		}
	}
	return all
}

// shellDir returns where the learner's shell starts: in the clone of an earlier run if the walk is past the step that
// makes it, else in the learner's folder.
func shellDir(dir string, session *walk.Session) string {
	w := session.Walk()
	clone := filepath.Join(dir, w.Clone)
	if info, err := os.Stat(clone); w.Clone != "" && session.Position() > w.CloneStep() && err == nil && info.IsDir() {
		return clone
	}
	return dir
}

// newShell returns the shell of the page's terminal: bash, or sh where there is none, without the user's start-up files.
func newShell(env []string, dir string) (*terminal.Options, error) {
	if path, err := exec.LookPath("bash"); err == nil {
		prompt := `\[\e[1;34m\]\W\[\e[0m\] $ `
		return &terminal.Options{Command: []string{path, "--noprofile", "--norc", "-i"}, Dir: dir, Env: append(env, "PS1="+prompt)}, nil
	}
	path, err := exec.LookPath("sh")
	if err != nil {
		return nil, errors.New("there is no shell for the terminal: neither bash nor sh is on PATH; add one, or use --no-terminal")
	}
	return &terminal.Options{Command: []string{path, "-i"}, Dir: dir, Env: append(env, `PS1=${PWD##*/} $ `, "ENV=")}, nil
}
