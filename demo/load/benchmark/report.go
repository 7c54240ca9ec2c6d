package benchmark

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/prometheus/procfs"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo/load"
)

// Report is what was measured, and where.
type Report struct {
	Machine Machine   `json:"machine"`
	Started time.Time `json:"started"`
	Trials  []*Trial  `json:"trials"`
}

// Machine is what it was measured on.
type Machine struct {
	OS      string `json:"os"`
	CPU     string `json:"cpu,omitempty"`
	Cores   int    `json:"cores"`
	Memory  int64  `json:"memoryBytes,omitempty"`
	Cluster string `json:"cluster"` // its kind
	Server  string `json:"server"`  // version of the API server
}

func (m Machine) String() string {
	return fmt.Sprintf("%d cores, %s, %.0f GiB, %s, %s cluster, %s",
		m.Cores, cmp.Or(m.CPU, "unknown processor"), float64(m.Memory)/(1<<30), m.OS, m.Cluster, m.Server)
}

func (b *bench) describe(ctx context.Context) Machine {
	m := Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU()}
	if status, err := b.cluster.Status(ctx); err == nil {
		m.Cluster = status.Provider
	}
	if version, err := b.kube.Discovery().ServerVersion(); err == nil {
		m.Server = version.GitVersion
	}
	if runtime.GOOS != "linux" {
		return m
	}
	if proc, err := procfs.NewDefaultFS(); err == nil {
		if all, err := proc.CPUInfo(); err == nil && len(all) > 0 {
			m.CPU = all[0].ModelName
		}
		if memory, err := proc.Meminfo(); err == nil && memory.MemTotalBytes != nil {
			m.Memory = int64(*memory.MemTotalBytes)
		}
	}
	return m
}

// readReport reads a report that is to go on; one that is not there is empty.
func readReport(file string) (*Report, error) {
	r := &Report{}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the report to resume: %w", err)
	}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("cannot resume the report %s: %w; choose another folder with --report", file, err)
	}
	return r, nil
}

// begin says where and when. Figures of two machines do not go into one report.
func (r *Report) begin(m Machine) error {
	if len(r.Trials) > 0 && r.Machine != m {
		return fmt.Errorf("the report is of another machine or cluster (%s), and this is %s; choose another folder with --report, or measure again with --again", r.Machine, m)
	}
	if len(r.Trials) == 0 {
		r.Machine, r.Started = m, time.Now()
	}
	return nil
}

// find returns the trial of a plan, or nil.
func (r *Report) find(plan load.Plan) *Trial {
	for _, trial := range r.Trials {
		if reflect.DeepEqual(trial.Plan, plan) {
			return trial
		}
	}
	return nil
}

// put adds a trial, and replaces an earlier one of the same plan.
func (r *Report) put(trial *Trial) {
	r.Trials = slices.DeleteFunc(r.Trials, func(old *Trial) bool { return reflect.DeepEqual(old.Plan, trial.Plan) })
	r.Trials = append(r.Trials, trial)
	slices.SortStableFunc(r.Trials, func(a, b *Trial) int {
		return cmp.Or(a.size()-b.size(), a.Plan.Heavy-b.Plan.Heavy, a.Shards()-b.Shards())
	})
}

// save writes the report and the page beside it, each complete or not at all.
func (r *Report) save(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	page, err := r.HTML()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{file: append(raw, '\n'), filepath.Join(filepath.Dir(file), "report.html"): page} {
		if err := statefile.Write(name, content, 0o644); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}

// Memory is what all components used together when all were ready, in bytes.
func (r *Trial) Memory() (sum int64) {
	for _, p := range r.Processes {
		sum += p.Memory
	}
	return sum
}

// CPU is what all components spent until all were ready, in seconds.
func (r *Trial) CPU() (sum float64) {
	for _, p := range r.Processes {
		sum += p.CPU
	}
	return sum
}

// State says in a word how a run ended.
func (r *Trial) State() string {
	if r.Done {
		return "done"
	}
	return "not done"
}

// Table writes the report as a table that fits on a stage, with what is the
// matter with runs that are not done below it.
func (r *Report) Table(out io.Writer) error {
	fmt.Fprintln(out, r.Machine)
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "OBJECTS\tSHARDS\tREADY\tCALM\tCROWDED\tHEAVY\tMEMORY\tCPU\tGONE\t")
	fmt.Fprintln(table, "\t\t\tp99\tp99\tp50\t\t\t\t")
	for _, run := range r.Trials {
		fmt.Fprintf(table, "%d\t%d\t%s\t%s\t%s\t%s\t%.1f GB\t%.0f s\t%s\t\n", run.size(), run.Shards(),
			seconds(run.Ready), seconds(run.Calm.P99), seconds(run.Crowded.P99), seconds(run.Heavy.P50),
			float64(run.Memory())/1e9, run.CPU(), seconds(run.Removed))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, run := range r.Trials {
		if run.Problem != "" {
			fmt.Fprintf(out, "\n%d objects, %d shards: %s\n", run.size(), run.Shards(), run.Problem)
		}
		if run.Restarts > 0 {
			fmt.Fprintf(out, "\n%d objects, %d shards: components were restarted %d times\n", run.size(), run.Shards(), run.Restarts)
		}
	}
	return nil
}

// seconds is a time for a table; one that was not measured is a dash.
func seconds(s float64) string {
	switch {
	case s == 0:
		return "-"
	case s < 10:
		return fmt.Sprintf("%.2f s", s)
	case s < 100:
		return fmt.Sprintf("%.1f s", s)
	}
	return (time.Duration(s) * time.Second).String()
}
