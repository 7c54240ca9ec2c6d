//go:build linux

// Command engine starts a container engine for tests on a machine that has
// none running: Debian's dockerd in an isolated network namespace, so that no
// packet of a cluster under test can leave the machine. It uses an engine that
// already runs. `engine down` removes everything that it has created.
//
//	engine up              start the engine, or say which one runs already
//	engine run -- COMMAND  run a command that reaches the engine and the
//	                       ports of its containers
//	engine status          tell where it is; exit code 1 if there is none
//	engine restart         end it and start it again, with its containers stopped
//	engine down            stop it and remove all that belongs to it
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const usage = "usage: engine [-dir FOLDER] up|status|restart|down|run -- COMMAND [ARGUMENT]..."

// errUsage is a mistake in the command line.
var errUsage = errors.New(usage)

func main() {
	if filepath.Base(os.Args[0]) == runtimeName {
		fmt.Fprintf(os.Stderr, "%s: %v\n", runtimeName, becomeRunc(os.Args[1:], os.Environ()))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "engine: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	flags.SetOutput(errOut)
	dir := flags.String("dir", filepath.Join("build", "engine"), "folder for images, containers and logs")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return errUsage
	}
	e, err := open(*dir)
	if err != nil {
		return err
	}
	switch verb, rest := flags.Arg(0), flags.Args()[1:]; {
	case verb == "run" && len(rest) > 1 && rest[0] == "--":
		return e.exec(ctx, rest[1:])
	case len(rest) > 0:
		return errUsage
	case verb == "up":
		return up(ctx, e, out, errOut)
	case verb == "status":
		return status(ctx, e, out)
	case verb == "restart":
		return e.restart(ctx)
	case verb == "down":
		return e.stop(ctx, errOut)
	}
	return errUsage
}

func up(ctx context.Context, e *engine, out, errOut io.Writer) error {
	if !e.answers(ctx) && othersAnswer(ctx) {
		fmt.Fprintln(errOut, "engine: using the engine that is already running")
		return nil
	}
	start := time.Now()
	fresh, err := e.start(ctx)
	if err != nil {
		return err
	}
	if fresh {
		fmt.Fprintf(errOut, "engine: started in %.1f s\n", time.Since(start).Seconds())
	}
	e.describe(out)
	return nil
}

func status(ctx context.Context, e *engine, out io.Writer) error {
	switch {
	case e.answers(ctx):
		e.describe(out)
		return nil
	case othersAnswer(ctx):
		return nil
	}
	return errors.New("no engine is running; start one with `engine up`")
}

// othersAnswer reports whether an engine answers that this command has not
// started, where the docker command looks for it.
func othersAnswer(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run() == nil
}
