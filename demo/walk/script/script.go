// Package script reads the shell commands of a walk without running them. It finds what they would do to a cluster
// that others use, which variables they need, and where they depend on a folder.
package script

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// ownLabels is how the labels begin by which walks tell their own objects from others.
const ownLabels = "fluxdemo.github.io/"

// fluxNamespace is where Flux runs.
const fluxNamespace = "flux-system"

// Command is one command of a walk, and where it starts in the walk's file.
type Command struct {
	Stmt      *syntax.Stmt
	Line, Col int // counted from 1, columns in bytes
}

// position returns where a part of the command is in the file.
func (c Command) position(n syntax.Node) (line, col int) {
	at, first := n.Pos(), c.Stmt.Pos()
	return c.Line + int(at.Line()) - int(first.Line()), max(int(at.Col())+c.Col-int(first.Col()), 1)
}

// Finding is a part of a command that must not be there, or not in every walk.
type Finding struct {
	Line, Col int    // as in Command
	Own       string // why the walk needs a cluster of its own; "" if it is a mistake anywhere
	Hint      string // for Own: what does the same without harm; "" if nothing does
	Mistake   string // for all others: what is wrong
}

// Harm returns what would do harm on a cluster that others use, as far as the text of the commands shows it, and what
// goes wrong on every cluster, such as asking Git for the fleet's first commit.
func Harm(commands []Command) []Finding {
	s := &scan{constants: map[string]string{}, fluxFiles: map[string]bool{}}
	for _, c := range commands {
		s.assignments(c.Stmt)
	}
	for _, c := range commands {
		s.command(c)
	}
	return s.found
}

// unknown stands in a text for what is only known when the walk runs.
const unknown = "\x00"

// scan looks at commands one after the other.
type scan struct {
	constants map[string]string // variables that only ever have this value; with unknown in it for others
	fluxFiles map[string]bool   // files, without their folders, that hold one of Flux's Deployments
	found     []Finding
}

// assignments notes the variables that a command sets.
func (s *scan) assignments(stmt *syntax.Stmt) {
	set := func(name, value string) {
		if was, again := s.constants[name]; again && was != value {
			value = unknown
		}
		s.constants[name] = value
	}
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Assign:
			if n.Name == nil {
				break
			}
			value := ""
			if n.Value != nil {
				value, _ = s.text(n.Value)
			}
			if n.Append || n.Array != nil {
				value = unknown
			}
			set(n.Name.Value, value)
		case *syntax.WordIter:
			set(n.Name.Value, unknown)
		}
		return true
	})
}

// text returns what a word becomes, as far as that is known, and whether it is one variable without quotes, whose value
// becomes several words.
func (s *scan) text(w *syntax.Word) (text string, splits bool) {
	var b strings.Builder
	var add func(parts []syntax.WordPart)
	add = func(parts []syntax.WordPart) {
		for _, p := range parts {
			switch p := p.(type) {
			case *syntax.Lit:
				b.WriteString(strings.ReplaceAll(p.Value, "\\\n", ""))
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				add(p.Parts)
			case *syntax.ParamExp:
				value, known := s.constants[p.Param.Value]
				if !known || p.Exp != nil || p.Repl != nil || p.Slice != nil || p.Length {
					value = unknown
				}
				b.WriteString(value)
				splits = len(w.Parts) == 1 && len(parts) == 1 && parts[0] == w.Parts[0]
			default:
				b.WriteString(unknown)
			}
		}
	}
	add(w.Parts)
	return b.String(), splits
}

// words returns the words of a call.
func (s *scan) words(call *syntax.CallExpr) []string {
	var all []string
	for _, w := range call.Args {
		text, splits := s.text(w)
		if splits {
			all = append(all, strings.Fields(text)...)
			continue
		}
		all = append(all, text)
	}
	return all
}

// command looks at one command and all that it calls.
func (s *scan) command(c Command) { s.statement(c.Stmt, c.position) }

func (s *scan) statement(stmt *syntax.Stmt, position func(syntax.Node) (line, col int)) {
	readsFlux := false // something in it has read one of Flux's Deployments
	var heredocs []string
	var files []string // that it writes
	syntax.Walk(stmt, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if k := kubectlCall(s.words(n)); k != nil && k.readsFlux() {
				readsFlux = true
			}
		case *syntax.Redirect:
			if n.Hdoc != nil {
				text, _ := s.text(n.Hdoc)
				heredocs = append(heredocs, text)
			} else if n.Op == syntax.RdrOut || n.Op == syntax.RdrClob || n.Op == syntax.AppOut {
				text, _ := s.text(n.Word)
				files = append(files, path.Base(text))
			}
		}
		return true
	})
	if slices.ContainsFunc(heredocs, holdsFlux) {
		readsFlux = true
	}
	syntax.Walk(stmt, func(n syntax.Node) bool {
		if call, is := n.(*syntax.CallExpr); is && len(call.Args) > 0 {
			line, col := position(call)
			s.call(s.words(call), readsFlux, func(f Finding) {
				f.Line, f.Col = line, col
				s.found = append(s.found, f)
			})
		}
		return true
	})
	for _, file := range files {
		s.fluxFiles[file] = readsFlux
	}
}

// holdsFlux reports whether a manifest has one of Flux's Deployments.
func holdsFlux(text string) bool {
	return slices.ContainsFunc(object.Documents([]byte(strings.ReplaceAll(text, unknown, "x"))), func(d object.Document) bool {
		return kindOf(d.Meta.Kind) == deployment && fluxController.MatchString(d.Meta.Name)
	})
}

// call looks at the words of one call; readsFlux says that its standard input may be one of Flux's Deployments.
func (s *scan) call(words []string, readsFlux bool, report func(Finding)) {
	if script := scriptIn(words); script != "" {
		file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
		if err != nil {
			return
		}
		for _, stmt := range file.Stmts {
			syntax.Walk(stmt, func(n syntax.Node) bool {
				if call, is := n.(*syntax.CallExpr); is && len(call.Args) > 0 {
					s.call(s.words(call), readsFlux, report)
				}
				return true
			})
		}
		return
	}
	if args := after(words, "git"); slices.Contains(args, "--max-parents=0") {
		report(Finding{Mistake: "after a rewrite of the history, the fleet's first commit is not the commit that up pushed: " +
			`use what the engine offers, git fetch -q "$FLEET_BEGINNING" main, and FETCH_HEAD`})
	}
	if why := fluxCall(after(words, "flux")); why != "" {
		report(Finding{Own: why})
	}
	k := kubectlCall(words)
	if k == nil {
		return
	}
	isFlux := func(file string) bool { return file == "-" && readsFlux || s.fluxFiles[path.Base(file)] }
	if why, hint := k.why(isFlux); why != "" {
		report(Finding{Own: why, Hint: hint})
	}
}

// after returns the arguments of a program, also when another one, such as xargs or timeout, calls it; nil when it is
// not called.
func after(words []string, program string) []string {
	if len(words) == 0 {
		return nil
	}
	if path.Base(words[0]) == program {
		return words[1:]
	}
	wrappers := []string{"command", "env", "exec", "nice", "nohup", "sudo", "time", "timeout", "xargs"}
	if !slices.Contains(wrappers, path.Base(words[0])) {
		return nil
	}
	if i := slices.IndexFunc(words, func(w string) bool { return path.Base(w) == program }); i >= 0 {
		return words[i+1:]
	}
	return nil
}

// scriptIn returns the script that a call of a shell or of eval has as an argument.
func scriptIn(words []string) string {
	if len(words) > 1 && words[0] == "eval" {
		return strings.Join(words[1:], " ")
	}
	for _, shell := range []string{"sh", "bash", "dash"} {
		args := after(words, shell)
		if i := slices.Index(args, "-c"); i >= 0 && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// fluxCall says why a call of flux needs a cluster of its own.
func fluxCall(args []string) string {
	if slices.Contains(args, "--export") || slices.Contains(args, "--dry-run") {
		return ""
	}
	_, plain := split(args)
	switch {
	case len(plain) > 0 && slices.Contains([]string{"install", "uninstall", "bootstrap"}, plain[0]):
		return "flux " + plain[0] + " changes Flux itself"
	case len(plain) > 1 && plain[0] == "create" && plain[1] == "tenant":
		return "flux create tenant takes over an existing namespace"
	}
	return ""
}
