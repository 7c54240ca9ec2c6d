// Package status prints how demos are: one of them in full, or all in a list.
package status

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

// Formats are the output formats that Print knows besides its own.
func Formats() []string { return []string{"json", "yaml", "wide"} }

// Print writes the status of one demo. format is "" or one of Formats; "wide" shortens nothing.
func Print(out io.Writer, s health.Status, format string, program called.Program) error {
	switch format {
	case "json", "yaml":
		return encode(out, s, format)
	}
	return printTables(out, s, format == "wide", program)
}

// encode writes a value as JSON or YAML.
func encode(out io.Writer, value any, format string) error {
	if format == "yaml" {
		return cli.WriteYAML(out, value)
	}
	return cli.WriteJSON(out, value)
}

func printTables(out io.Writer, s health.Status, wide bool, program called.Program) error {
	cluster := s.Cluster
	if !cluster.Running {
		fmt.Fprintf(out, "%s (%s) is stopped; `%s` starts it.\n", cluster.Name, cluster.Provider, program.Command("up --name "+cluster.Name))
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
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", componentName(part, wide), shortVersion(part.Version, wide), state,
			orDash(part.PID), uptime(part.Started), megabytes(part.Memory))
		memory += part.Memory
	}
	fmt.Fprintf(table, "total\t\t\t\t\t%s\n", megabytes(memory))
	if err := table.Flush(); err != nil {
		return err
	}
	printSilent(out, cluster.Components)
	if s.Problem != "" {
		fmt.Fprintf(out, "\n%s\n", program.Text(s.Problem))
		return nil
	}
	fmt.Fprintln(out)
	fmt.Fprintln(table, "OBJECT\tREADY\tREVISION")
	for _, o := range s.Objects {
		ready := o.Ready
		if o.Suspended {
			ready = "Suspended"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", objectName(o), ready, shortRevision(o.Revision, wide))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	printReasons(out, s, wide, program)
	fmt.Fprintln(out)
	printAddresses(out, s.URLs)
	if cluster.Fence != "" {
		fmt.Fprintf(out, "%-6s %s\n", "Fence", cluster.Fence)
	}
	return nil
}

// Steady returns the status without what changes by itself: how long something runs, and its memory.
func Steady(s health.Status) health.Status {
	s.Cluster.Components = slices.Clone(s.Cluster.Components)
	for i := range s.Cluster.Components {
		s.Cluster.Components[i].Started, s.Cluster.Components[i].Memory = time.Time{}, 0
	}
	return s
}

// printSilent says which parts do not answer, and since when.
func printSilent(out io.Writer, parts []clusters.Component) {
	for _, part := range parts {
		if part.State != health.Silent {
			continue
		}
		since := ""
		if !part.Silent.IsZero() {
			since = " since " + part.Silent.Local().Format("15:04:05")
		}
		fmt.Fprintf(out, "\n%s does not answer%s:\n%s\n", health.Workload(part), since, indented(part.Message))
	}
}

// printReasons says why each part is not well.
func printReasons(out io.Writer, s health.Status, wide bool, program called.Program) {
	for _, o := range s.Objects {
		message := o.Brief
		if wide || message == "" {
			message = o.Message
		}
		message = program.Text(message)
		if wide {
			message = indent + strings.ReplaceAll(message, "\n", "\n"+indent)
		} else {
			message = indented(message)
		}
		if o.Ready != "True" && o.Message != "" {
			fmt.Fprintf(out, "\n%s is not ready:\n%s\n", objectName(o), message)
		}
	}
	for _, part := range s.Cluster.Components {
		switch part.State {
		case health.Missing, health.ScaledToZero, health.NoPod:
			fmt.Fprintf(out, "\n%s/%s does not run:\n%s\n", part.Namespace, part.Name, indented(part.Message))
		}
	}
}

// How wide a line of text may be, and what begins each line of a message.
const (
	width  = 72
	indent = "  "
)

// indented breaks a message into lines, indented.
func indented(message string) string {
	var b strings.Builder
	for line := range strings.Lines(message) {
		at := 0
		for _, word := range strings.Fields(line) {
			switch {
			case at == 0:
				b.WriteString(indent)
				at = len(indent)
			case at+1+len([]rune(word)) > width:
				b.WriteString("\n" + indent)
				at = len(indent)
			default:
				b.WriteString(" ")
				at++
			}
			b.WriteString(word)
			at += len([]rune(word))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func objectName(o health.Object) string {
	name := strings.ToLower(o.Kind) + "/" + o.Name
	if o.Namespace != demo.FluxNamespace {
		name = o.Namespace + "/" + name
	}
	return name
}

// componentName is short enough for 72 columns: a pod without the hashes
// that its owner adds.
func componentName(part clusters.Component, wide bool) string {
	if wide && part.Namespace != "" {
		return part.Namespace + "/" + part.Name
	}
	return health.Workload(part)
}

// shortVersion cuts a version that would push the columns after it out of a terminal of 80.
func shortVersion(version string, wide bool) string {
	if wide {
		return version
	}
	return ansi.Truncate(version, 14, "…")
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
