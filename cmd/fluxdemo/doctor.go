package main

import (
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
)

func newDoctor(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine needs and how to install it",
		Example: `  fluxdemo doctor
  fluxdemo doctor --bundle build/bundle`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			ill := false
			check := func(name, good string, err error) {
				mark, text := "✓", good
				if err != nil {
					mark, text, ill = "✗", err.Error(), true
				}
				fmt.Fprintf(out, "%s %-9s %s\n", mark, name, text)
			}
			b, err := bundle.Find(o.BundleDir)
			good := ""
			if err == nil {
				good = fmt.Sprintf("flux %s, kubernetes %s", b.Version("github.com/fluxcd/flux2/v2"), b.Version("k8s.io/kubernetes"))
				err = b.Verify("")
			}
			check("bundle", good, err)
			// One provider is enough.
			var no []error
			providers := o.Providers()
			for _, provider := range providers {
				err := provider.Available(cmd.Context())
				if err == nil {
					check(provider.Name, "ready to run clusters", nil)
					continue
				}
				fmt.Fprintf(out, "- %-9s %v\n", provider.Name, err)
				no = append(no, err)
			}
			if len(no) == len(providers) {
				check("clusters", "", errors.New("none of these providers works on this machine"))
			}
			fmt.Fprintf(out, "- %-9s %s\n", "fence", embedded.Fence())
			git, err := exec.LookPath("git")
			if err != nil {
				err = fmt.Errorf("not found on PATH; install it (Debian: apt install git, macOS: brew install git)")
			}
			check("git", git, err)
			if ill {
				return exitCode(exitFailure)
			}
			return nil
		},
	}
}
