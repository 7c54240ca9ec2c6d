package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/slides/deck"
)

func newDeck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deck",
		Short: "Check and export decks",
		Example: `  fluxdemo deck lint talk.md
  fluxdemo deck export talk.md`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newDeckLint(), newDeckExport())
	return cmd
}

// lintReport is what -o json prints for a deck.
type lintReport struct {
	File     string          `json:"file"`
	Title    string          `json:"title"`
	Slides   []slideReport   `json:"slides"`
	Problems []problemReport `json:"problems"`
}

type slideReport struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Line     int      `json:"line"`
	Waits    int      `json:"waits"`
	Walk     string   `json:"walk,omitempty"`
	Coming   string   `json:"coming,omitempty"`
	Diagrams []string `json:"diagrams,omitempty"`
}

type problemReport struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

func newDeckLint() *cobra.Command {
	var output string
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Report mistakes in decks by line and column",
		Long: `Reads decks with their sidecars and images, and prints each mistake as
file:line:column: severity: message. A slide with a mistake is still shown; an
error means that part of it does not work as written. The exit code is 2 if
there is an error. Needs no cluster.`,
		Example: `  fluxdemo deck lint basics
  fluxdemo deck lint talk.md --strict
  fluxdemo deck lint talk.md -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.CheckOutput(output, "json"); err != nil {
				return err
			}
			bad := false
			reports := []lintReport{}
			for _, file := range args {
				path, err := deckFile(file)
				if err != nil {
					return cli.Usage(err)
				}
				if filepath.Base(path) == filepath.Base(file) {
					path = file // as the user has written it
				}
				d, err := deck.Load(path)
				if err != nil {
					return cli.Usage(err)
				}
				problems := d.Lint(deck.LintOptions{Steps: stepIDs})
				for _, p := range problems {
					bad = bad || strict || p.Severity == deck.Error
				}
				if output == "json" {
					reports = append(reports, lintReportOf(d, problems))
					continue
				}
				for _, p := range problems {
					fmt.Fprintln(cmd.OutOrStdout(), p)
				}
				if len(problems) == 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d slides, no mistakes\n", file, len(d.Slides))
				}
			}
			if output == "json" {
				if err := cli.WriteJSON(cmd.OutOrStdout(), reports); err != nil {
					return fmt.Errorf("printing the report: %w", err)
				}
			}
			if bad {
				return exitCode(exitUsage)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "treat warnings as errors")
	cli.AddOutput(cmd, &output, "json")
	return cmd
}

// lintReportOf returns the report of a deck in the form that --output prints.
func lintReportOf(d *deck.Deck, problems []deck.Problem) lintReport {
	r := lintReport{File: d.File, Title: d.Title, Slides: []slideReport{}, Problems: []problemReport{}}
	for _, s := range d.Slides {
		sr := slideReport{ID: s.ID, Title: s.Title, Line: s.Line, Waits: s.Waits, Walk: s.Walk.String(), Coming: s.Coming.String()}
		for _, g := range s.Diagrams {
			sr.Diagrams = append(sr.Diagrams, g.ID)
		}
		r.Slides = append(r.Slides, sr)
	}
	for _, p := range problems {
		r.Problems = append(r.Problems, problemReport{p.File, p.Line, p.Col, p.Severity, p.Msg})
	}
	return r
}

// stepIDs returns the IDs of the steps of a built-in walk.
func stepIDs(name string) ([]string, error) {
	c, err := builtin.Load(name)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range c.Walk.Steps {
		ids = append(ids, s.ID)
	}
	return ids, nil
}
