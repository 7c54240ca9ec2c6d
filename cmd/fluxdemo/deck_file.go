package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/slides/decks"
)

// deckFile returns the absolute path of the deck that arg names: a file, or a built-in deck, for example "basics". It
// writes a built-in deck into the state folder first, so that the stage can watch it like any other file.
func deckFile(arg string) (string, error) {
	if strings.ContainsAny(arg, "/.") {
		return filepath.Abs(arg)
	}
	text, err := fs.ReadFile(decks.Files, arg+".md")
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no built-in deck %q; valid values: %s, or the path of a file", arg, strings.Join(deckNames(), ", "))
	}
	if err != nil {
		return "", err
	}
	if err := cli.CheckStateDir(); err != nil {
		return "", err
	}
	dir := filepath.Join(cli.StateDir(), ".decks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating a folder for the deck: %w", err)
	}
	file := filepath.Join(dir, arg+".md")
	if now, err := os.ReadFile(file); err == nil && string(now) == string(text) {
		return file, nil
	}
	if err := statefile.Write(file, text, 0o600); err != nil {
		return "", fmt.Errorf("writing the deck: %w", err)
	}
	return file, nil
}

// deckNames lists the built-in decks.
func deckNames() []string {
	files, err := fs.Glob(decks.Files, "*.md")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file, ".md"))
	}
	return names
}

func completeDecks(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return deckNames(), cobra.ShellCompDirectiveDefault
}
