package script

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// calls calls f for each call in the commands, with the words that are known of it.
func calls(commands []Command, f func(c Command, call *syntax.CallExpr, words []string)) {
	s := &scan{constants: map[string]string{}}
	for _, c := range commands {
		syntax.Walk(c.Stmt, func(n syntax.Node) bool {
			if call, is := n.(*syntax.CallExpr); is && len(call.Args) > 0 {
				f(c, call, s.words(call))
			}
			return true
		})
	}
}

// Clones reports whether one of the commands clones a repository into a folder of that name.
func Clones(commands []Command, folder string) bool {
	found := false
	calls(commands, func(_ Command, _ *syntax.CallExpr, words []string) {
		args := after(words, "git")
		found = found || slices.Contains(args, "clone") && args[len(args)-1] == folder
	})
	return found
}

// OnlyFiles reports whether the commands change nothing but files and Git repositories, as far as their text shows it.
func OnlyFiles(commands []Command) bool {
	only := true
	calls(commands, func(_ Command, _ *syntax.CallExpr, words []string) {
		switch words[0] {
		case "git", "sed", "mv", "cp", "rm", "mkdir", "cat", "echo", "printf", "grep", "cd", "test", "[", "true", "tail", "head", "cut", "tr":
		case "kubectl":
			k := kubectlCall(words)
			dry, _ := "", false
			if k != nil {
				dry, _ = k.flag("dry-run")
			}
			only = only && k != nil && (k.verb == "get" || k.verb == "wait" || dry == "client")
		case "flux":
			only = only && len(words) > 1 && slices.Contains([]string{"get", "diff", "build", "tree", "trace", "logs"}, words[1])
		case "fluxdemo":
			only = only && len(words) > 1 && words[1] == "wait"
		default:
			only = false
		}
	})
	return only
}

// Variable is a variable, and where it is read.
type Variable struct {
	Name      string
	Line, Col int
}

// Reads returns the variables that the commands read and do not set, each where it is read first.
func Reads(commands []Command) []Variable {
	set := Sets(commands)
	var all []Variable
	for _, c := range commands {
		syntax.Walk(c.Stmt, func(n syntax.Node) bool {
			p, is := n.(*syntax.ParamExp)
			if !is || p.Param == nil || !syntax.ValidName(p.Param.Value) || slices.Contains(set, p.Param.Value) {
				return true
			}
			if !slices.ContainsFunc(all, func(v Variable) bool { return v.Name == p.Param.Value }) {
				line, col := c.position(n)
				all = append(all, Variable{p.Param.Value, line, col})
			}
			return true
		})
	}
	return all
}

// Sets returns the names of the variables that the commands set.
func Sets(commands []Command) []string {
	var all []string
	for _, c := range commands {
		syntax.Walk(c.Stmt, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Assign:
				if n.Name != nil {
					all = append(all, n.Name.Value)
				}
			case *syntax.WordIter:
				all = append(all, n.Name.Value)
			case *syntax.CallExpr:
				if len(n.Args) > 1 && n.Args[0].Lit() == "read" {
					for _, w := range n.Args[1:] {
						all = append(all, w.Lit())
					}
				}
			}
			return true
		})
	}
	return all
}

// Local returns where commands depend on a clone of the fleet or on the current folder.
func Local(commands []Command) []Finding {
	var found []Finding
	calls(commands, func(c Command, call *syntax.CallExpr, words []string) {
		why := ""
		switch program := path.Base(words[0]); {
		case program == "cd" || program == "pushd":
			if len(words) > 1 && relative(words[1]) {
				why = "it goes to a folder that a learner may not have"
			}
		case program == "git":
			if args := after(words, "git"); len(args) < 2 || args[0] != "ls-remote" || !slices.ContainsFunc(args[1:], address) {
				why = "it reads a clone, and a learner's may be anywhere: ask the Git host, with git ls-remote \"$FLEET_URL\""
			}
		case reads(program, words[1:]):
			why = "it reads a file in the current folder, and a learner's is another one"
		}
		if why != "" {
			line, col := c.position(call)
			found = append(found, Finding{Line: line, Col: col, Mistake: why})
		}
	})
	for _, c := range commands {
		syntax.Walk(c.Stmt, func(n syntax.Node) bool {
			if r, is := n.(*syntax.Redirect); is && r.Op == syntax.RdrIn && relative(r.Word.Lit()) {
				line, col := c.position(n)
				found = append(found, Finding{Line: line, Col: col, Mistake: "it reads a file in the current folder, and a learner's is another one"})
			}
			return true
		})
	}
	return found
}

// address reports whether a word may be the address of a repository.
func address(word string) bool {
	return strings.Contains(word, "://") || strings.Contains(word, unknown)
}

// relative reports whether a word is a path that depends on the current folder.
func relative(word string) bool {
	return word != "" && word != "-" && !strings.HasPrefix(word, "/") && !strings.Contains(word, unknown) && !address(word)
}

// reads reports whether a call of a program reads a file in the current folder.
func reads(program string, args []string) bool {
	var plain []string
	for i := 0; i < len(args); i++ {
		switch {
		case (program == "sed" || program == "grep") && (args[i] == "-e" || args[i] == "-f"): // what to look for
			i++
			program = "cat"
		case !strings.HasPrefix(args[i], "-"):
			plain = append(plain, args[i])
		}
	}
	switch program {
	case "cat", "head", "tail", "wc", "source", ".", "sort", "diff", "cmp":
	case "sed", "grep", "awk":
		plain = plain[min(1, len(plain)):] // what to look for
	case "test", "[":
		for i := range args {
			if i+1 < len(args) && len(args[i]) == 2 && strings.Contains("-d -e -f -r -s -w -x", args[i]) {
				return relative(args[i+1])
			}
		}
		return false
	case "kubectl", "flux":
		flags, _ := split(args)
		return slices.ContainsFunc(slices.Concat(flags["filename"], flags["path"], flags["patch-file"]), relative)
	default:
		return false
	}
	return slices.ContainsFunc(plain, relative)
}
