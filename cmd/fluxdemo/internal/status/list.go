package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

// States of a demo in a list.
const (
	Running   = "Running"
	Unhealthy = "Unhealthy" // it runs, and a part of it does not
	Stopped   = "Stopped"
	Unknown   = "Unknown" // it does not say
)

// Demo is a row of the list.
type Demo struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	State    string `json:"state"`
	Current  bool   `json:"current"`       // commands without --name use it
	URL      string `json:"url,omitempty"` // of the sample app
	Message  string `json:"message,omitempty"`
}

// patience is how long each demo may take to say how it is.
const patience = 5 * time.Second

// List asks all clusters at a time how they are. current is the name of the demo that commands without --name use.
// A cluster that does not answer is Unknown.
func List(ctx context.Context, all []clusters.Cluster, current string) []Demo {
	demos := make([]Demo, len(all))
	var group errgroup.Group
	for i, cluster := range all {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			s, err := health.Collect(ctx, cluster)
			demos[i] = row(s, err)
			demos[i].Name = filepath.Base(cluster.Dir())
			demos[i].Current = demos[i].Name == current
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return demos
}

func row(s health.Status, err error) Demo {
	d := Demo{Provider: s.Cluster.Provider, State: Running, URL: s.URLs.App}
	switch {
	case err != nil:
		d.State, d.Message = Unknown, err.Error()
	case !s.Cluster.Running:
		d.State = Stopped
	case !s.Healthy():
		d.State, d.Message = Unhealthy, s.Problem
	}
	if errors.Is(err, clusters.ErrNotFound) {
		d.Message = "it was removed just now"
	}
	return d
}

// ListFormats are the output formats that PrintList knows besides its own.
func ListFormats() []string { return []string{"json", "yaml", "name"} }

// PrintList writes the list. format is "" or one of ListFormats.
func PrintList(out io.Writer, demos []Demo, format string) error {
	switch format {
	case "json", "yaml":
		if demos == nil {
			demos = []Demo{}
		}
		return encode(out, demos, format)
	case "name":
		for _, d := range demos {
			fmt.Fprintln(out, d.Name)
		}
		return nil
	}
	if len(demos) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CURRENT\tNAME\tPROVIDER\tSTATE\tURL")
	for _, d := range demos {
		mark := ""
		if d.Current {
			mark = "*"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", mark, d.Name, cmp.Or(d.Provider, "-"), d.State, cmp.Or(d.URL, "-"))
	}
	return table.Flush()
}
