//go:build unix

package walk

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// killGrace is how long a command may take to end by itself once its time is over.
const killGrace = 2 * time.Second

// execInGroup starts each program in a process group of its own. When the context ends, the whole group is asked
// to end, and after killGrace killed: a script must not leave children behind that wait for a cluster that is gone.
func (r *Runner) execInGroup(interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, args []string) error {
		hc := interp.HandlerCtx(ctx)
		path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
		if err != nil {
			fmt.Fprintln(hc.Stderr, err)
			return interp.ExitStatus(127)
		}
		t, _ := ctx.Value(trialKey{}).(*trial)
		if t != nil {
			args = t.hurry(args)
		}
		cmd := exec.CommandContext(ctx, path)
		cmd.Args = args
		cmd.Env = exported(hc.Env)
		cmd.Dir = hc.Dir
		cmd.Stdin, cmd.Stdout, cmd.Stderr = hc.Stdin, hc.Stdout, hc.Stderr
		cmd.SysProcAttr = inGroup()
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
		cmd.WaitDelay = r.killGrace
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(hc.Stderr, err)
			return interp.ExitStatus(126)
		}
		r.running.Store(&args)
		err = cmd.Wait()
		r.running.Store(nil)
		if t != nil && err != nil {
			t.fail(args)
		}
		if ctx.Err() != nil {
			// Processes of the group are left if they ignored the signal, or if the parent was faster than its children.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			return ctx.Err()
		}
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
				return interp.ExitStatus(128 + ws.Signal())
			}
			return interp.ExitStatus(exit.ExitCode())
		case errors.Is(err, exec.ErrWaitDelay):
			// The command ended well; a child that it left behind keeps its output open.
			return nil
		}
		return err
	}
}

// exported returns the exported variables of the shell as KEY=value.
func exported(env expand.Environ) []string {
	var out []string
	env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.Kind == expand.String {
			out = append(out, name+"="+v.Str)
		}
		return true
	})
	return out
}
