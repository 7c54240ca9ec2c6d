package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// cliDir holds the reference that is made from the commands.
const cliDir = "../../docs/cli"

// updateDocs makes TestReference write the reference instead of comparing it.
const updateDocs = "FLUXDEMO_UPDATE_DOCS"

// referenceRoot is the command tree as anybody sees it, whatever is set here.
func referenceRoot(t *testing.T) *cobra.Command {
	t.Helper()
	t.Setenv("FLUXDEMO_NAME", "")
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true // it has the date
	return root
}

// visit calls f for a command and all below it that the help shows, except cobra's own.
func visit(cmd *cobra.Command, f func(*cobra.Command)) {
	if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
		return
	}
	f(cmd)
	for _, sub := range cmd.Commands() {
		visit(sub, f)
	}
}

// imperatives are the verbs that a Short may begin with.
func imperatives() []string {
	return strings.Fields("Advance Check Clone Create Divide Do Download Export List Measure Move Present Print " +
		"Reconcile Remove Report Restore Run Say Show Start Turn Wait")
}

// unwanted are words of the column "not" of docs/GLOSSARY.md, which the help must not contain.
var unwanted = regexp.MustCompile(`(?i)\b(somebody|nobody|is told|brought about|come true|as it stands|story|stories|beats?|wish|registry of clusters|way out|what travelled|the world|kinds? of cluster)\b`)

// TestHelp holds all commands to the style of the help.
func TestHelp(t *testing.T) {
	root := referenceRoot(t)
	visit(root, func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Parent() == root && !root.ContainsGroup(cmd.GroupID) {
			t.Errorf("%s is in no group", path)
		}
		verb, _, _ := strings.Cut(cmd.Short, " ")
		if !slices.Contains(imperatives(), verb) {
			t.Errorf("%s: Short does not begin with a known imperative: %q", path, cmd.Short)
		}
		if n := len([]rune(cmd.Short)); n > 60 {
			t.Errorf("%s: Short has %d characters, more than 60: %q", path, n, cmd.Short)
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short ends with a full stop: %q", path, cmd.Short)
		}
		lines := strings.Split(cmd.Example, "\n")
		if len(lines) < 2 || len(lines) > 4 {
			t.Errorf("%s: Example has %d lines, not two or three", path, len(lines))
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: line of Example is not indented by two spaces: %q", path, line)
			}
			checkExample(t, root, line)
		}
		texts := []string{cmd.Short, cmd.Long, cmd.Example}
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { texts = append(texts, flag.Usage) })
		for _, text := range texts {
			if word := unwanted.FindString(text); word != "" {
				t.Errorf("%s: %q is not a word of the glossary: %q", path, word, text)
			}
		}
	})
}

// checkExample checks that the command and the flags of a line of an example exist.
func checkExample(t *testing.T, root *cobra.Command, line string) {
	t.Helper()
	_, rest, found := strings.Cut(line, "fluxdemo ")
	if !found {
		return
	}
	rest, _, _ = strings.Cut(rest, " #")
	rest, _, _ = strings.Cut(rest, " | ")
	args := strings.Fields(strings.Trim(rest, `)"`))
	cmd, _, err := root.Find(args)
	if err != nil || cmd == root {
		t.Errorf("example of a command that does not exist: %q: %v", line, err)
		return
	}
	cmd.InitDefaultHelpFlag()
	for _, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--"); ok && cmd.Flag(name) == nil {
			t.Errorf("example of the flag --%s, which %s does not have: %q", name, cmd.CommandPath(), line)
		}
	}
}

// TestReference compares docs/cli with the commands. `make docs` writes it.
func TestReference(t *testing.T) {
	made := t.TempDir()
	root := referenceRoot(t)
	if err := doc.GenMarkdownTree(root, made); err != nil {
		t.Fatal(err)
	}
	if os.Getenv(updateDocs) != "" {
		if err := os.RemoveAll(cliDir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(cliDir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, have := files(t, made), files(t, cliDir)
	if !slices.Equal(want, have) {
		t.Fatalf("docs/cli has the files\n\t%v\nand not\n\t%v\nrun `make docs`", have, want)
	}
	for _, name := range want {
		a, errA := os.ReadFile(filepath.Join(made, name))
		b, errB := os.ReadFile(filepath.Join(cliDir, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("docs/cli/%s differs from the command: run `make docs`", name)
		}
	}
}

// files lists a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("%v: run `make docs`", err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
