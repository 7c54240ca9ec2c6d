// Package called knows how the user called this program. It writes the commands in messages so that they can be pasted:
// with the same path, and with the name of the demo that they are about.
package called

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// name is what the program is called on PATH.
const name = "fluxdemo"

// DefaultDemo is the name of a demo that is not named.
const DefaultDemo = "fluxdemo"

// Program is how the user called fluxdemo, and the demo that they meant. The zero Program is fluxdemo on PATH and the
// default demo.
type Program struct {
	// Word is the first word of a command, quoted for a POSIX shell, for example "fluxdemo" or "'/opt/my kit/fluxdemo'".
	Word string
	// Flag is what selects the demo, for example " --name second", or "".
	Flag string
}

// By returns the Program for a call. arg0 is the first word of it, as os.Args has it, and executable the path of the
// program that runs, as os.Executable returns it. demo is the demo's name, and set what $FLUXDEMO_NAME is.
func By(arg0, executable, demo, set string) Program {
	p := Program{Word: word(arg0, executable)}
	if demo != "" && (demo != DefaultDemo || set != "" && set != demo) {
		p.Flag = " --name " + demo
	}
	return p
}

// Now returns the Program of this process, for the demo of that name.
func Now(demo string) Program {
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	return By(os.Args[0], executable, demo, os.Getenv(shell.NameVar))
}

// word returns the word that starts the program in the user's shell: its name if PATH leads to it, else the word that
// the user typed.
func word(arg0, executable string) string {
	if onPath(name, executable) {
		return name
	}
	if !strings.ContainsRune(arg0, filepath.Separator) && !onPath(arg0, executable) {
		arg0 = executable // its caller made that word up
	}
	if arg0 == "" {
		return name
	}
	return Quote(arg0)
}

func onPath(command, executable string) bool {
	path, err := exec.LookPath(command)
	return err == nil && same(path, executable)
}

func same(path, other string) bool {
	a, errA := os.Stat(path)
	b, errB := os.Stat(other)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// Quote quotes a word for a POSIX shell, if it needs that.
func Quote(word string) string {
	if quoted, err := syntax.Quote(word, syntax.LangPOSIX); err == nil {
		return quoted
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" // it has line breaks
}

// Command returns a command to paste. args are its words as a shell reads them, without --name, for example "walk gitops".
func (p Program) Command(args string) string {
	word := p.Word
	if word == "" {
		word = name
	}
	if unnamed(args) {
		return word + " " + args
	}
	return word + " " + args + p.Flag
}

// Text returns a message with its commands as they can be pasted: what is in backquotes and begins with the program's
// name, as in "run `fluxdemo up`".
func (p Program) Text(message string) string {
	return regexp.MustCompile("`"+name+" ([^`]+)`").ReplaceAllStringFunc(message, func(quoted string) string {
		return "`" + p.Command(strings.Trim(quoted, "`")[len(name)+1:]) + "`"
	})
}

// unnamed reports whether a command concerns no demo, or says which.
func unnamed(args string) bool {
	words := strings.Fields(args)
	if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return w == "--help" || w == "--name" || strings.HasPrefix(w, "--name=") }) {
		return true
	}
	return slices.Contains([]string{"deck", "doctor", "list", "prefetch", "serve", "supervise", "version"}, words[0])
}
