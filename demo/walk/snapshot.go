package walk

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/fluxdemo/fluxdemo/demo/walk/tap"
)

// snapshot is a shell's state in a form that another process can take up.
type snapshot struct {
	Dir    string `json:"dir"`    // the current folder
	Script string `json:"script"` // sets the variables and functions that are not as they were at the start
}

// snapshot returns the shell's state. It is only called between commands.
func (r *Runner) snapshot() snapshot {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.shell.Vars)) {
		v := r.shell.Vars[name]
		if was, is := r.start[name]; name == "PWD" || name == "OLDPWD" || is && same(was, v) {
			continue
		}
		declare(&b, name, v)
	}
	printer := syntax.NewPrinter()
	for _, name := range slices.Sorted(maps.Keys(r.shell.Funcs)) {
		b.WriteString(name + "() ")
		if err := printer.Print(&b, r.shell.Funcs[name]); err != nil {
			continue // it was parsed, so it can be printed; a strings.Builder takes everything
		}
		b.WriteByte('\n')
	}
	return snapshot{Dir: r.shell.Dir, Script: b.String()}
}

func same(a, b expand.Variable) bool {
	return a.IsSet() == b.IsSet() && a.Kind == b.Kind && a.Exported == b.Exported && a.Str == b.Str &&
		slices.Equal(a.List, b.List) && maps.Equal(a.Map, b.Map)
}

// declare writes the command that makes a variable what it is.
func declare(b *strings.Builder, name string, v expand.Variable) {
	if !v.IsSet() {
		fmt.Fprintf(b, "unset %s\n", name)
		return
	}
	switch v.Kind {
	case expand.String:
		fmt.Fprintf(b, "%s=%s\n", name, quote(v.Str))
	case expand.Indexed:
		fmt.Fprintf(b, "%s=(", name)
		for i, text := range v.List {
			at := i
			if v.Indexes != nil {
				at = v.Indexes[i]
			}
			fmt.Fprintf(b, "[%d]=%s ", at, quote(text))
		}
		b.WriteString(")\n")
	case expand.Associative:
		fmt.Fprintf(b, "declare -A %s=(", name)
		for _, key := range slices.Sorted(maps.Keys(v.Map)) {
			fmt.Fprintf(b, "[%s]=%s ", quote(key), quote(v.Map[key]))
		}
		b.WriteString(")\n")
	}
	if v.Exported {
		fmt.Fprintf(b, "export %s\n", name)
	}
}

// quote quotes a text for the interpreter. No text of a shell has a zero byte, which is all that cannot be quoted.
func quote(s string) string {
	quoted, err := syntax.Quote(strings.ReplaceAll(s, "\x00", ""), syntax.LangBash)
	if err != nil {
		return "''"
	}
	return quoted
}

// restoreTime is far above what a few assignments take.
const restoreTime = 10 * time.Second

// restore makes the shell what it was when the snapshot was taken. A folder that is gone since is no error: the
// shell is in the work folder then.
func (r *Runner) restore(s snapshot) error {
	r.shell.Reset()
	err := r.silently(s.Script)
	if info, gone := os.Stat(s.Dir); err == nil && gone == nil && info.IsDir() {
		err = r.silently("cd " + quote(s.Dir))
	}
	if err != nil {
		return fmt.Errorf("walk %s: restoring the shell of the last run: %w", r.walk.Name, err)
	}
	return nil
}

// export sets a variable for the commands that come.
func (r *Runner) export(name, value string) error {
	if err := r.silently("export " + name + "=" + quote(value)); err != nil {
		return fmt.Errorf("walk %s: setting %s: %w", r.walk.Name, name, err)
	}
	return nil
}

// silently runs a script of the engine's own, also when the walk is being interrupted: a shell in between two steps
// would be of no use to the next run.
func (r *Runner) silently(script string) error {
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), restoreTime)
	defer cancel()
	return r.statements(ctx, file)
}

// quietly runs a script of the engine's own that takes time. It returns the last line of what that wrote.
func (r *Runner) quietly(ctx context.Context, script string) (output string, err error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		return "", err
	}
	r.out.Open(func([]byte) {})
	err = r.statements(ctx, file)
	return tap.LastLine(r.out.Close()), err
}

func (r *Runner) statements(ctx context.Context, file *syntax.File) error {
	for _, stmt := range file.Stmts {
		if err := r.shell.Run(ctx, stmt); err != nil {
			return err
		}
	}
	return nil
}

// aside calls f with a copy of the shell, so that what f's commands set and where they go leaves no trace.
func (r *Runner) aside(f func() error) error {
	shell := r.shell
	r.shell = shell.Subshell()
	defer func() { r.shell = shell }()
	return f()
}
