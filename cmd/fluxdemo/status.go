package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

func newStatus(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show components, Flux objects, and URLs",
		Long: `Shows each component with its process, memory and uptime, the objects that Flux
reconciles, and the URLs. The exit code is 1 if something is not well.`,
		Example: `  fluxdemo status
  fluxdemo status -o wide
  fluxdemo status -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "json", "yaml", "wide"); err != nil {
				return err
			}
			cluster, err := o.Cluster()
			if err != nil {
				return err
			}
			demo, err := health.Collect(cmd.Context(), cluster)
			if errors.Is(err, clusters.ErrNotFound) {
				return cli.UnknownCluster(o.Name)
			}
			if err != nil {
				return err
			}
			ownVersions(demo.Cluster.Components)
			switch output {
			case "json":
				encoder := json.NewEncoder(cmd.OutOrStdout())
				encoder.SetIndent("", "  ")
				err = encoder.Encode(demo)
			case "yaml":
				var raw []byte
				if raw, err = yaml.Marshal(demo); err == nil {
					_, err = cmd.OutOrStdout().Write(raw)
				}
			default:
				err = printStatus(cmd.OutOrStdout(), demo, output == "wide")
			}
			if err != nil {
				return err
			}
			if !demo.Healthy() {
				return exitCode(exitFailure)
			}
			return nil
		},
	}
	addOutput(cmd, &output, "json", "yaml", "wide")
	return cmd
}

// ownVersions gives the demo's own services, whose image's tag says nothing, the version of this program: they run it.
func ownVersions(parts []clusters.Component) {
	for i := range parts {
		if parts[i].Version == "latest" {
			parts[i].Version = programVersion()
		}
	}
}

func printStatus(out io.Writer, demo health.Status, wide bool) error {
	cluster := demo.Cluster
	if !cluster.Running {
		fmt.Fprintf(out, "%s (%s) is stopped; `fluxdemo up --name %s` starts it.\n", cluster.Name, cluster.Provider, cluster.Name)
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tVERSION\tSTATE\tPID\tUPTIME\tMEMORY")
	var memory int64
	for _, part := range cluster.Components {
		state := part.State
		if part.Restarts > 0 {
			state = fmt.Sprintf("%s (%d)", state, part.Restarts)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", componentName(part, wide), part.Version, state,
			orDash(part.PID), uptime(part.Started), megabytes(part.Memory))
		memory += part.Memory
	}
	fmt.Fprintf(table, "total\t\t\t\t\t%s\n", megabytes(memory))
	if err := table.Flush(); err != nil {
		return err
	}
	if demo.Problem != "" {
		fmt.Fprintf(out, "\n%s\n", demo.Problem)
		return nil
	}
	fmt.Fprintln(out)
	fmt.Fprintln(table, "OBJECT\tREADY\tREVISION")
	for _, object := range demo.Objects {
		ready := object.Ready
		if object.Suspended {
			ready = "Suspended"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", objectName(object), ready, shortRevision(object.Revision, wide))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, object := range demo.Objects {
		if object.Ready != "True" && object.Message != "" {
			fmt.Fprintf(out, "\n%s is not ready:\n  %s\n", objectName(object), strings.ReplaceAll(object.Message, "\n", "\n  "))
		}
	}
	fmt.Fprintln(out)
	printURLs(out, demo.URLs)
	return nil
}

func objectName(o health.Object) string {
	name := strings.ToLower(o.Kind) + "/" + o.Name
	if o.Namespace != "flux-system" {
		name = o.Namespace + "/" + name
	}
	return name
}

// podSuffix is what Deployments and DaemonSets add to the names of their
// pods, in the letters that Kubernetes takes for that.
const podSuffix = `(-[bcdfghj-np-tv-xz24-9]{6,10})?-[bcdfghj-np-tv-xz24-9]{5}$`

// componentName is short enough for 72 columns: a pod without the hashes
// that its owner adds.
func componentName(part clusters.Component, wide bool) string {
	if part.Namespace == "" {
		return part.Name
	}
	if wide {
		return part.Namespace + "/" + part.Name
	}
	return regexp.MustCompile(podSuffix).ReplaceAllString(part.Name, "")
}

// shortRevision cuts the commit in "main@sha1:<40 digits>" to 8 digits.
func shortRevision(revision string, wide bool) string {
	if i := strings.LastIndex(revision, ":"); i >= 0 && !wide && len(revision) > i+9 {
		return revision[:i+9]
	}
	return revision
}

func orDash(pid int) string {
	if pid == 0 {
		return "-"
	}
	return fmt.Sprint(pid)
}

func uptime(started time.Time) string {
	if started.IsZero() {
		return "-"
	}
	d := time.Since(started)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

func megabytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MB", n>>20)
}
