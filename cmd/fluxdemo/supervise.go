package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/supervisor"
)

// newSupervise is what `up` starts in the background for an embedded
// cluster; see package supervisor.
func newSupervise() *cobra.Command {
	var dir, bundleDir string
	var allowEgress bool
	var port int
	cmd := &cobra.Command{
		Use:    "supervise",
		Short:  "Run an embedded cluster (started by up)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := bundle.Find(bundleDir)
			if err != nil {
				return err
			}
			exe, err := program()
			if err != nil {
				return err
			}
			settings, err := supervisor.LoadSettings(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			settings.AllowEgress = settings.AllowEgress || allowEgress
			if port != 0 {
				settings.Port, settings.FixedPort = port, true
			}
			return supervisor.Run(cmd.Context(), supervisor.Options{
				Dir: dir, Bundle: b, Program: exe, Version: programVersion(),
				Log:      log.New(os.Stderr, "", log.LstdFlags|log.LUTC),
				LogFile:  filepath.Join(dir, supervisor.LogDir, "supervisor.log"),
				Settings: settings,
			}, func() { tell(supervisor.Listening) })
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the cluster")
	cmd.Flags().StringVar(&bundleDir, "bundle", "", "folder of the bundle")
	cmd.Flags().BoolVar(&allowEgress, "allow-egress", false, "let pods reach the internet")
	cmd.Flags().IntVar(&port, "port", 0, "port of the API server")
	_ = cmd.MarkFlagRequired("dir") // fails only if there is no such flag
	return cmd
}

// tell says something to the command that started this one in the
// background.
func tell(what string) {
	starter := os.NewFile(3, "started-by")
	if starter == nil {
		return
	}
	fmt.Fprintln(starter, what)
	starter.Close()
}
