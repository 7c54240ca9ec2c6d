package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/demo/services/app"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
	"github.com/fluxdemo/fluxdemo/demo/services/git"
	"github.com/fluxdemo/fluxdemo/demo/services/inbox"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// newServe groups the servers that run in the demo's pods. They read their
// settings from the environment, as containers usually do.
func newServe() *cobra.Command {
	var addr string
	var hosts []string
	cmd := &cobra.Command{
		Use:    "serve",
		Short:  "Run one of the demo's services (in its pod)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   help,
	}
	cmd.PersistentFlags().StringVar(&addr, "addr", ":8080", "address to listen on")
	cmd.PersistentFlags().StringSliceVar(&hosts, "host", nil, "another name at which clients find the server")
	run := func(cmd *cobra.Command, handler func(log *slog.Logger) (http.Handler, error)) error {
		log := slog.New(slog.NewJSONHandler(cmd.OutOrStdout(), nil))
		h, err := handler(log)
		if err != nil {
			return fmt.Errorf("starting the server: %w", err)
		}
		return serve.Run(cmd.Context(), addr, h, log)
	}

	var root string
	gitCmd := &cobra.Command{
		Use:  "git",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var host *git.Server
			defer func() {
				if host != nil {
					host.Close()
				}
			}()
			return run(cmd, func(log *slog.Logger) (_ http.Handler, err error) {
				var upstream *forge.Repository
				if address := os.Getenv("GIT_UPSTREAM_URL"); address != "" {
					upstream = &forge.Repository{
						URL: address, Username: os.Getenv("GIT_UPSTREAM_USERNAME"), Password: os.Getenv("GIT_UPSTREAM_PASSWORD"),
					}
				}
				host, err = git.New(git.Config{
					Upstream:     upstream,
					Hosts:        hosts,
					Root:         root,
					Username:     os.Getenv("GIT_USERNAME"),
					Password:     os.Getenv("GIT_PASSWORD"),
					WebhookURL:   os.Getenv("WEBHOOK_URL"),
					WebhookToken: os.Getenv("WEBHOOK_TOKEN"),
					Logger:       log,
				})
				return host, err
			})
		},
	}
	gitCmd.Flags().StringVar(&root, "root", "/var/lib/fluxdemo/git", "folder of the repositories")
	var file string
	inboxCmd := &cobra.Command{
		Use:  "inbox",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd, func(log *slog.Logger) (http.Handler, error) {
				return inbox.New(inbox.Config{File: file, Auth: os.Getenv("INBOX_AUTH"), Hosts: hosts, Logger: log})
			})
		},
	}
	inboxCmd.Flags().StringVar(&file, "file", "", "file for notifications (default: keep them in memory)")
	appCmd := &cobra.Command{
		Use:  "app",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd, func(log *slog.Logger) (http.Handler, error) {
				return app.New(app.Config{
					Hosts:   hosts,
					Message: os.Getenv("MESSAGE"),
					Color:   os.Getenv("COLOR"),
					Version: os.Getenv("VERSION"),
					Pod:     os.Getenv("POD_NAME"),
					Logger:  log,
				})
			})
		},
	}
	cmd.AddCommand(gitCmd, inboxCmd, appCmd)
	return cmd
}
