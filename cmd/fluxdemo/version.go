package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
)

// version is set by the linker in a release build.
var version = ""

// programVersion returns the version of the release, for example "v1.2.3".
// Without a release it is the commit, for example "0d36794", or "dev".
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return moduleVersion(info.Main.Version)
	}
	return "dev"
}

// moduleVersion names the commit of a version that the go command derived from
// it, in the way of `git describe --always --dirty`: with 7 digits, "0d36794-dirty"
// for "v0.0.0-20261128011807-0d36794ff819+dirty". A released version stays as it is.
func moduleVersion(v string) string {
	commit, err := module.PseudoVersionRev(v)
	if err != nil || len(commit) < 7 {
		return v
	}
	if strings.HasSuffix(v, "+dirty") {
		return commit[:7] + "-dirty"
	}
	return commit[:7]
}

// versions is what `version -o json` prints.
type versions struct {
	Fluxdemo   string `json:"fluxdemo"`
	Go         string `json:"go"`
	Platform   string `json:"platform"`
	Flux       string `json:"flux,omitempty"`
	Kubernetes string `json:"kubernetes,omitempty"`
	Etcd       string `json:"etcd,omitempty"`
}

func newVersion(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of fluxdemo and its components",
		Example: `  fluxdemo version
  fluxdemo version -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(output, "json"); err != nil {
				return err
			}
			v := versions{Fluxdemo: programVersion(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if b, err := bundle.Find(o.BundleDir); err == nil {
				v.Flux = b.Version("github.com/fluxcd/flux2/v2")
				v.Kubernetes = b.Version("k8s.io/kubernetes")
				v.Etcd = b.Version("go.etcd.io/etcd/server/v3")
			}
			out := cmd.OutOrStdout()
			if output == "json" {
				return cli.WriteJSON(out, v)
			}
			fmt.Fprintf(out, "fluxdemo    %s (%s, %s)\n", v.Fluxdemo, v.Go, v.Platform)
			if v.Flux == "" {
				fmt.Fprintln(out, "bundle      not found; run `fluxdemo doctor` for details")
				return nil
			}
			fmt.Fprintf(out, "flux        %s\nkubernetes  %s\netcd        %s\n", v.Flux, v.Kubernetes, v.Etcd)
			return nil
		},
	}
	cli.AddOutput(cmd, &output, "json")
	return cmd
}
