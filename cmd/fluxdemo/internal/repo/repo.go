// Package repo has the commands for the repositories on the demo's Git host: `fluxdemo repo` lists them and creates new
// ones, and `fluxdemo clone` clones one.
package repo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// New returns the command with its subcommands.
func New(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repo",
		Short: "List and create repositories on the Git host",
		Long: `The demo's Git host has the repository fleet, which Flux follows. Create others
for Flux to follow beside it. At the Git host's address, a browser shows them all.

A push to a repository that does not exist creates it too.`,
		Example: `  fluxdemo repo create apps
  fluxdemo repo list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCreate(o), newList(o))
	return cmd
}

func newCreate(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an empty repository on the Git host",
		Long: `Creates an empty repository with the branch main, and prints its URL for
git clone. In the cluster it is http://git.fluxdemo.svc.cluster.local/NAME.git.

The repository has no webhook: Flux fetches it at the interval of its
GitRepository, or when you run flux reconcile.`,
		Example: `  fluxdemo repo create apps
  fluxdemo clone my-apps --repo apps`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := gitapi.CheckName(args[0]); err != nil {
				return cli.Usage(err)
			}
			if err := cli.CheckOutput(output, "json"); err != nil {
				return err
			}
			host, err := connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			made, err := host.Create(cmd.Context(), args[0])
			if refused, ok := errors.AsType[*gitapi.RefusedError](err); ok && refused.Status == http.StatusConflict {
				return cli.Usage(err)
			}
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.WriteJSON(cmd.OutOrStdout(), made)
			}
			fmt.Fprintln(cmd.OutOrStdout(), made.URL)
			fmt.Fprintf(cmd.ErrOrStderr(), "Created. `fluxdemo clone DIR --repo %s` clones it.\n", made.Name)
			return nil
		},
	}
	cli.AddOutput(cmd, &output, "json")
	return cmd
}

func newList(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the repositories on the Git host",
		Example: `  fluxdemo repo list
  fluxdemo repo list -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(output, "json"); err != nil {
				return err
			}
			host, err := connect(cmd.Context(), o)
			if err != nil {
				return err
			}
			all, err := host.List(cmd.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.WriteJSON(cmd.OutOrStdout(), gitapi.List{Repositories: all})
			}
			return printList(cmd.OutOrStdout(), all)
		},
	}
	cli.AddOutput(cmd, &output, "json")
	return cmd
}

// connect returns a client for the Git host of the running demo.
func connect(ctx context.Context, o *cli.Options) (*gitapi.Client, error) {
	_, c, urls, err := o.WithGitHost(ctx)
	if err != nil {
		return nil, err
	}
	password, err := demo.GitPassword(ctx, c)
	if err != nil {
		return nil, err
	}
	return &gitapi.Client{Address: urls.Git, User: demo.GitUser, Password: password}, nil
}

func printList(out io.Writer, all []gitapi.Repository) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tCOMMIT\tWEBHOOK\tURL")
	for _, one := range all {
		commit := "none"
		if len(one.Commit) > 7 {
			commit = one.Commit[:7]
		}
		fmt.Fprintf(table, "%s\t%s\t%t\t%s\n", one.Name, commit, one.Webhook, one.URL)
	}
	return table.Flush()
}
