package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
)

// versions is what `version -o json` prints.
type versions struct {
	Fluxdemo   string `json:"fluxdemo"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	Flux       string `json:"flux,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
	Etcd       string `json:"etcd,omitempty"`
}

func newVersion(o *options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of fluxdemo and its components",
		Example: `  fluxdemo version
  fluxdemo version -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "json"); err != nil {
				return err
			}
			v := versions{Fluxdemo: programVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if b, err := bundle.Find(o.bundleDir); err == nil {
				v.Flux = b.Version("github.com/fluxcd/flux2/v2")
				v.Kubernetes = b.Version("k8s.io/kubernetes")
				v.Etcd = b.Version("go.etcd.io/etcd/server/v3")
			}
			out := cmd.OutOrStdout()
			if output == "json" {
				encoder := json.NewEncoder(out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(v)
			}
			fmt.Fprintf(out, "fluxdemo    %s (%s, %s)\n", v.Fluxdemo, v.Go, v.Platform)
			if v.Flux == "" {
				fmt.Fprintln(out, "bundle      not found; `fluxdemo doctor` says more")
				return nil
			}
			fmt.Fprintf(out, "flux        %s\nkubernetes  %s\netcd        %s\n", v.Flux, v.Kubernetes, v.Etcd)
			return nil
		},
	}
	addOutput(cmd, &output, "json")
	return cmd
}
