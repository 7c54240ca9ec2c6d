package walk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"

	"github.com/fluxdemo/fluxdemo/demo/walk/tap"
)

// errorLines is how much of a failed command's output an error shows; the end of it says why.
const errorLines = 20

// StepError says which command of a walk failed, and what it wrote.
type StepError struct {
	File    string
	Step    *Step
	Block   *Block
	Command *ShellCommand
	Output  string        // the end of what the command wrote
	Elapsed time.Duration // how long it ran
	Timeout time.Duration // the deadline that it missed; 0 when it ended by itself
	Why     string        // of a learner's check: what it means, what was found, and what is wanted; "" when that is not known
	Objects string        // which objects of the cluster are at fault, a line each; "" when that is not known
	Err     error
}

// Error returns the position in the file and the step in its first line, then the command, the last lines of its
// output, and the objects at fault.
func (e *StepError) Error() string {
	var b strings.Builder
	where := e.Step.Title
	if e.Step.Number > 0 {
		where = fmt.Sprintf("step %d, %s", e.Step.Number, e.Step.Title)
	}
	fmt.Fprintf(&b, "%s:%d: %s: ", e.File, e.Command.Line, where)
	if e.Block.Role == Check && e.Block.Label != "" {
		fmt.Fprintf(&b, "check %q failed: ", e.Block.Label)
	}
	switch {
	case errors.Is(e.Err, context.Canceled):
		fmt.Fprintf(&b, "interrupted after %s", Seconds(e.Elapsed))
	case e.Timeout > 0:
		fmt.Fprintf(&b, "not done after %s", Seconds(e.Timeout))
	default:
		fmt.Fprintf(&b, "%s after %s", cause(e.Err), Seconds(e.Elapsed))
	}
	for i, line := range strings.Split(e.Command.Text, "\n") {
		mark := "$ "
		if i > 0 {
			mark = "  "
		}
		b.WriteString("\n    " + mark + line)
	}
	lines := strings.Split(strings.TrimRight(e.Output, "\n"), "\n")
	if len(lines) > errorLines {
		lines = append([]string{"..."}, lines[len(lines)-errorLines:]...)
	}
	for _, line := range lines {
		if line != "" {
			b.WriteString("\n    " + line)
		}
	}
	if e.Objects != "" {
		b.WriteString("\nNot ready in the cluster:")
		for _, line := range strings.Split(strings.TrimRight(e.Objects, "\n"), "\n") {
			b.WriteString("\n    " + line)
		}
	}
	return b.String()
}

// Unwrap gives the cause: a context's error, or an interp.ExitStatus.
func (e *StepError) Unwrap() error { return e.Err }

// LastLine is the last line with anything in it that the command wrote, or the block before it.
func (e *StepError) LastLine() string { return tap.LastLine(e.Output) }

// Meaning is Why, or the comment above the command, which says what its failure means, or LastLine if there is none.
func (e *StepError) Meaning() string {
	if e.Why != "" {
		return e.Why
	}
	if e.Command.Comment != "" {
		return e.Command.Comment
	}
	return e.LastLine()
}

// notFound is the shell's exit status for a program that is not there.
const notFound = interp.ExitStatus(127)

// missing reports whether the command's program is not there, which no second try changes.
func (e *StepError) missing() bool { return errors.Is(e.Err, notFound) }

// cause makes an error of the shell readable.
func cause(err error) string {
	var status interp.ExitStatus
	switch {
	case errors.Is(err, notFound):
		return "command not found (exit status 127)"
	case errors.As(err, &status):
		return fmt.Sprintf("exit status %d", status)
	}
	return err.Error()
}

// Seconds writes a time as a person says it: 0.4 s, 12.0 s, 1 min 05 s.
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
}
