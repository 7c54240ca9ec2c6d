package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/status"
)

func newList(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your demos and how they are",
		Long: `Lists your demos with their provider, their state, and the URL of the sample app.
The one that commands use without --name is marked: the one that FLUXDEMO_NAME
names, or fluxdemo.`,
		Example: `  fluxdemo list
  fluxdemo list -o name`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(output, status.ListFormats()...); err != nil {
				return err
			}
			all, err := o.Every()
			if err != nil {
				return err
			}
			demos := status.List(cmd.Context(), all, o.Name)
			if err := status.PrintList(cmd.OutOrStdout(), demos, output); err != nil {
				return err
			}
			switch {
			case len(demos) == 0:
				fmt.Fprintf(cmd.ErrOrStderr(), "You have no demo; `%s` starts one.\n", o.Called().Command("up"))
			case !slices.ContainsFunc(demos, func(d status.Demo) bool { return d.Current }):
				fmt.Fprintf(cmd.ErrOrStderr(), "None is called %s; choose one with --name, or with `%s`.\n", o.Name,
					`eval "$(`+o.Called().Word+` env --name `+demos[0].Name+`)"`)
			}
			return nil
		},
	}
	cli.AddOutput(cmd, &output, status.ListFormats()...)
	return cmd
}
