package walk

import (
	"fmt"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"mvdan.cc/sh/v3/syntax"
)

// ownLabels is how the labels begin by which walks tell their own objects from others.
const ownLabels = "fluxdemo.github.io/"

// fluxNamespace is where Flux runs.
const fluxNamespace = "flux-system"

// GuestError says that a walk needs a cluster of its own, and was opened on one that is not the demo's alone.
type GuestError struct {
	Walk *Walk
	Why  string // for example "it changes Flux's own deployment/kustomize-controller"
}

// Error implements error.
func (e *GuestError) Error() string {
	return fmt.Sprintf("the walk %s needs a cluster of its own (%s), and this one is not the demo's alone", e.Walk.Name, e.Why)
}

// NeedsOwnCluster says why a walk must not run on a cluster that is not the demo's alone, "" if it may: its front
// matter says so, or Lint finds a command of that kind.
func (w *Walk) NeedsOwnCluster() string {
	for _, f := range w.findings() {
		if f.why != "" {
			return f.why
		}
	}
	if w.OwnCluster {
		return "its front matter says so"
	}
	return ""
}

// CheckGuest returns a *GuestError if one of the walks must not run on a cluster that is not the demo's alone.
func CheckGuest(walks ...*Walk) error {
	for _, w := range walks {
		if why := w.NeedsOwnCluster(); why != "" {
			return &GuestError{w, why}
		}
	}
	return nil
}

// Lint returns what is no mistake in the language of walks, but would do harm, each as *SyntaxError in the order of
// the file: commands for which the front matter has to say `cluster: own`, as far as they can be told from their text,
// and those that ask Git where the fleet began.
func (w *Walk) Lint() []error {
	var all []error
	for _, f := range w.findings() {
		if f.why != "" && w.OwnCluster {
			continue
		}
		msg := f.mistake
		if f.why != "" {
			msg = f.why + ": such a walk needs a cluster of its own, so say `cluster: own` in the front matter"
			if f.hint != "" {
				msg += ", or " + f.hint
			}
		}
		all = append(all, &SyntaxError{File: w.File, Line: f.line, Col: f.col, Msg: msg})
	}
	return all
}

// finding is a command that Lint has something to say about.
type finding struct {
	line, col int
	why       string // the walk needs a cluster of its own for it; "" if it is a mistake anywhere
	hint      string // what does the same without harm
	mistake   string
}

// findings looks at all commands of a walk.
func (w *Walk) findings() []finding {
	s := &scan{constants: map[string]string{}, fluxFiles: map[string]bool{}}
	commands := w.commands()
	for _, c := range commands {
		s.assignments(c.stmt)
	}
	for _, c := range commands {
		s.command(c)
	}
	return s.found
}

// commands returns all commands that a walk runs, in the order of the file.
func (w *Walk) commands() []*ShellCommand {
	var all []*ShellCommand
	sections := []*Step{w.Setup}
	for i := range w.Steps {
		sections = append(sections, &w.Steps[i])
	}
	for _, section := range append(sections, w.Cleanup) {
		if section == nil {
			continue
		}
		for i := range section.Blocks {
			for j := range section.Blocks[i].Commands {
				all = append(all, &section.Blocks[i].Commands[j])
			}
		}
	}
	return all
}

// unknown stands in a text for what is only known when the walk runs.
const unknown = "\x00"

// scan looks at commands one after the other.
type scan struct {
	constants map[string]string // variables that only ever have this value; with unknown in it for others
	fluxFiles map[string]bool   // files, without their folders, that hold one of Flux's Deployments
	found     []finding
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
func (s *scan) command(c *ShellCommand) {
	s.statement(c.stmt, func(n syntax.Node) (line, col int) {
		at, first := n.Pos(), c.stmt.Pos()
		return c.Line + int(at.Line()) - int(first.Line()), max(int(at.Col())+c.Col-int(first.Col()), 1)
	})
}

func (s *scan) statement(stmt *syntax.Stmt, place func(syntax.Node) (line, col int)) {
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
			line, col := place(call)
			s.call(s.words(call), readsFlux, func(f finding) {
				f.line, f.col = line, col
				s.found = append(s.found, f)
			})
		}
		return true
	})
	for _, file := range files {
		s.fluxFiles[file] = readsFlux
	}
}

// holdsFlux tells whether a manifest has one of Flux's Deployments.
func holdsFlux(text string) bool {
	documents := yaml.NewYAMLOrJSONDecoder(strings.NewReader(strings.ReplaceAll(text, unknown, "x")), 4096)
	for {
		var o metav1.PartialObjectMetadata
		if documents.Decode(&o) != nil { // the end, or no manifest
			return false
		}
		if kindOf(o.Kind) == deployment && fluxController.MatchString(o.Name) {
			return true
		}
	}
}

// call looks at the words of one call; readsFlux says that its standard input may be one of Flux's Deployments.
func (s *scan) call(words []string, readsFlux bool, report func(finding)) {
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
		report(finding{mistake: "the fleet's first commit is not where the demo began once somebody has rewritten its history: " +
			`use what the engine offers, git fetch -q "$FLEET_BEGINNING" main, and FETCH_HEAD`})
	}
	if why := fluxCall(after(words, "flux")); why != "" {
		report(finding{why: why})
	}
	k := kubectlCall(words)
	if k == nil {
		return
	}
	isFlux := func(file string) bool { return file == "-" && readsFlux || s.fluxFiles[path.Base(file)] }
	if why, hint := k.why(isFlux); why != "" {
		report(finding{why: why, hint: hint})
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
		return "flux create tenant takes over a namespace that is there already"
	}
	return ""
}
