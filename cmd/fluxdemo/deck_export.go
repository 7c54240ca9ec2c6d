package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/export"
	"github.com/fluxdemo/fluxdemo/slides/stage"
)

func newDeckExport() *cobra.Command {
	var format, out, theme string
	formats, themes := []string{"pdf", "png", "html"}, []string{"light", "dark", "contrast"}
	cmd := &cobra.Command{
		Use:   "export DECK",
		Short: "Export a deck as PDF, pictures, or static pages",
		Long: `Exports a deck for people who did not see the talk. Pauses are removed, and
diagrams are static. Needs no cluster; pdf and png need Chromium.`,
		Example: `  fluxdemo deck export talk.md                 # talk.pdf, one slide a page
  fluxdemo deck export talk.md --format png    # talk-png/01.png, 02.png ...
  fluxdemo deck export talk.md --format html   # talk-html/index.html`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeDecks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(formats, format) {
				return cli.Usage(fmt.Errorf("--format=%s: valid values: %s", format, strings.Join(formats, ", ")))
			}
			if theme != "" && !slices.Contains(themes, theme) {
				return cli.Usage(fmt.Errorf("--theme=%s: valid values: %s", theme, strings.Join(themes, ", ")))
			}
			if theme != "" && format == "html" {
				return cli.Usage(fmt.Errorf("--theme is for pdf and png; on the pages, press t, or open index.html?theme=%s", theme))
			}
			path, err := deckFile(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			d, err := deck.Load(path)
			if err != nil {
				return cli.Usage(err)
			}
			if out == "" {
				out = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + map[string]string{"pdf": ".pdf", "png": "-png", "html": "-html"}[format]
			}
			steps := progress.New(cmd.ErrOrStderr())
			end := steps.Start(fmt.Sprintf("%d slides as %s", len(d.Slides), format))
			err = exportAs(cmd, d, format, theme, out)
			end(err)
			steps.Close()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "pdf", "valid values: "+strings.Join(formats, ", "))
	cmd.Flags().StringVar(&out, "out", "", "`path` of the file or folder to write (default: the deck's name, in the current folder)")
	cmd.Flags().StringVar(&theme, "theme", "", "valid values: "+strings.Join(themes, ", ")+" (default: the deck's theme)")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("theme", cobra.FixedCompletions(themes, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func exportAs(cmd *cobra.Command, d *deck.Deck, format, theme, out string) error {
	switch o := (export.Options{Theme: theme}); format {
	case "pdf":
		return export.PDF(cmd.Context(), d, o, out)
	case "png":
		_, err := export.PNG(cmd.Context(), d, o, out)
		return err
	default:
		if err := os.MkdirAll(out, 0o755); err != nil {
			return fmt.Errorf("creating the folder for the pages: %w", err)
		}
		return stage.Static(d, out)
	}
}
