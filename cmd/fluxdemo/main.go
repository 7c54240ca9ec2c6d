// Command fluxdemo runs the diagrams of a Flux talk for real. Each command
// has its own file here, which maps flags to the packages that do the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/learning"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/repo"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/waiting"
	"github.com/fluxdemo/fluxdemo/demo/gitconfig"
)

// Exit codes, as kubectl and flux users expect them.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with everything passed in. Of all that is printed, only text and colours reach out and errOut.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	cleanOut, cleanErr := output.New(out), output.New(errOut)
	code := execute(args, in, cleanOut, cleanErr)
	if err := cleanOut.Flush(); err != nil {
		fmt.Fprintf(cleanErr, "fluxdemo: %v\n", err)
		code = max(code, exitFailure)
	}
	_ = cleanErr.Flush() // there is nowhere left to say it
	return code
}

// execute runs the command that args name, and returns the exit code. Errors are printed only here.
func execute(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Without a logger, controller-runtime writes a stack trace to the terminal, and client-go a line for each request that
	// is given up. What matters of that is an error, too.
	ctrllog.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	if err := gitconfig.Ignore(); err != nil {
		fmt.Fprintf(errOut, "fluxdemo: %v\n", err)
		return exitFailure
	}
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var quiet exitCode
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(errOut, "fluxdemo: interrupted")
		return 128 + int(syscall.SIGINT)
	}
	fmt.Fprintf(errOut, "fluxdemo: %s\n", called.Now(root.Flag("name").Value.String()).Text(err.Error()))
	var logged *clusters.LogError
	if errors.As(err, &logged) {
		if logged.Tail == "" {
			logged.ReadTail()
		}
		fmt.Fprintf(errOut, "\nThe end of %s:\n%s\n", logged.Log, logged.Tail)
	}
	var usage *clusters.UsageError
	if errors.As(err, &usage) || isCobraUsage(err) {
		return exitUsage
	}
	return exitFailure
}

// exitCode ends the program with a code and without a message, because the
// command has already printed one.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// isCobraUsage recognises the mistakes that cobra reports without a type.
func isCobraUsage(err error) bool {
	for _, start := range []string{"unknown command", "accepts ", "requires ", "invalid argument", "required flag"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

func newRoot() *cobra.Command {
	o := cli.New()
	root := &cobra.Command{
		Use:   "fluxdemo",
		Short: "Run the diagrams of a Flux talk for real",
		Long: `fluxdemo starts a Kubernetes cluster with Flux and a Git repository that Flux
follows, runs walks on it step by step, and presents decks whose diagrams show
what happens in the cluster.`,
		Example: `  fluxdemo up                # start everything
  fluxdemo walk gitops       # walk through GitOps, step by step
  fluxdemo present basics    # present a deck with live diagrams
  fluxdemo down              # remove everything`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usage(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	o.AddFlags(root)
	addGroup(root, "cluster", "Cluster:", newUp(o), newDown(o), newReset(o), newStatus(o), newList(o), newEnv(o),
		repo.NewClone(o), repo.New(o), newLogs(o), newPrefetch(o), newDoctor(o))
	addGroup(root, "walk", "Walk:", newWalk(o), learning.New(o), newTask(o), newCheck(o), newHint(o), newSolve(o), waiting.New(), waiting.NewReconcile(o))
	addGroup(root, "present", "Present:", newPresent(o), newNext(o), newBack(o), newGoto(o), newDeck(), newDiagram(o))
	addGroup(root, "scale", "Flux at scale:", newShard(o), newBench(o), newPace(o))
	addGroup(root, "other", "Other:", newVersion(o))
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	root.AddCommand(newServe(), newSupervise(), newForward()) // hidden: started by other commands
	return root
}

// addGroup adds commands under a heading of the help.
func addGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = id
		root.AddCommand(cmd)
	}
}

// help is the RunE of a command that only groups others. Without it, cobra
// prints help for a misspelled subcommand too, and exits with 0.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }
