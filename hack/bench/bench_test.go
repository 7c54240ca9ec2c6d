package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i) // 100, 99, ... 1: it has to sort
	}
	for _, test := range []struct {
		name    string
		samples []float64
		p, want float64
	}{
		{"none", nil, 50, 0},
		{"one", []float64{7}, 99, 7},
		{"the lower of two", []float64{2, 1}, 50, 1},
		{"the middle of three", []float64{3, 1, 2}, 50, 2},
		{"p50 of 100", hundred, 50, 50},
		{"p99 of 100", hundred, 99, 99},
		{"p99 of 50 is the worst", hundred[50:], 99, 50},
		{"all", hundred, 100, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.samples)
			if got := percentile(test.samples, test.p); got != test.want {
				t.Errorf("percentile(%g) = %g, want %g", test.p, got, test.want)
			}
			if !slices.Equal(before, test.samples) {
				t.Error("the samples have been put into another order")
			}
		})
	}
}

func TestTargets(t *testing.T) {
	samples := []float64{1, 2, 3}
	for _, test := range []struct {
		name   string
		figure Figure
		met    bool
	}{
		{"the worst counts", figure("", "", "s", statWorst, samples).atMost(2), false},
		{"exactly the limit is allowed", figure("", "", "s", statWorst, samples).atMost(3), true},
		{"the median counts", figure("", "", "s", statMedian, samples).atMost(2), true},
		{"exactly the limit is not below it", figure("", "", "s", statP50, samples).below(2), false},
		{"below", figure("", "", "s", statP50, samples).below(2.1), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := &Report{}
			report.add(figure("", "without a target", "s", statWorst, samples), test.figure)
			if report.Missed() == test.met {
				t.Errorf("value %g: Missed() = %v", test.figure.Value, !test.met)
			}
		})
	}
}

const wantTable = `2 x Some CPU, 24 GiB, linux/amd64
kernel 6.1, go1.26.0
load before: 0.10 0.20 0.30
measured 2026-01-02 03:04 UTC

FIGURE                                   TARGET            MEASURED
second up                             <= 1.00 s  0.50, worst 1.20 s over

push to applied, p50                  <= 0.60 s              0.50 s   ok
overhead                                      -              1.10 x
a name that is much too long for it…   < 100 ms               30 ms   ok
memory                               <= 1200 MB             1150 MB   ok
left behind                                <= 0                   2 over

- something that has to be said in more words than go into one line of
  the table
`

func TestTable(t *testing.T) {
	report := &Report{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: Machine{OS: "linux", Arch: "amd64", CPU: "Some CPU", Cores: 2, Memory: 24 << 30, Kernel: "6.1", Go: "go1.26.0", Load: "0.10 0.20 0.30"},
	}
	report.add(
		figure("start", "second up", "s", statWorst, []float64{0.4, 1.2, 0.5}).atMost(1),
		figure("push", "push to applied, p50", "s", statP50, []float64{0.4, 0.5, 0.6}).atMost(0.6),
		figure("push", "overhead", "x", statOnce, []float64{1.1}),
		figure("push", "a name that is much too long for its column", "ms", statP50, []float64{30}).below(100),
		figure("push", "memory", "MB", statOnce, []float64{1150}).atMost(1200),
		figure("push", "left behind", "", statWorst, []float64{2}).atMost(0),
	)
	report.note("something that has to be said in more words than go into one line of the table")
	var out bytes.Buffer
	report.WriteTable(&out)
	if out.String() != wantTable {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), wantTable)
	}
	for line := range strings.Lines(out.String()) {
		if columns := len([]rune(strings.TrimSuffix(line, "\n"))); columns > width {
			t.Errorf("%d columns: %s", columns, line)
		}
	}
}

func TestReportRuns(t *testing.T) {
	// Any program that answers --help will do to see the whole way through.
	file := filepath.Join(t.TempDir(), "report.json")
	var out, errOut bytes.Buffer
	args := []string{"-only", "help", "-fluxdemo", anyProgram(t), "-bundle", t.TempDir(), "-json", file}
	if code := run(t.Context(), args, &out, &errOut); code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	if !strings.Contains(out.String(), "fluxdemo --help, p50") {
		t.Errorf("the table lacks the figure:\n%s", out.String())
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(raw, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Figures) != 1 || len(report.Figures[0].Samples) != helpRuns || report.Machine.Cores == 0 {
		t.Errorf("the JSON is not complete: %s", raw)
	}
}

func anyProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-only", "nonsense"},
		{"-runs", "0"},
		{"-o", "yaml"},
		{"-fluxdemo", "/no/such/file"},
		{"-no-such-flag"},
		{"argument"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			var out, errOut bytes.Buffer
			args := append([]string{"-bundle", t.TempDir(), "-fluxdemo", anyProgram(t)}, args...)
			if code := run(t.Context(), args, &out, &errOut); code != exitUsage {
				t.Errorf("exit code %d, want %d: %s", code, exitUsage, errOut.String())
			}
			if errOut.Len() == 0 {
				t.Error("it does not say what is wrong")
			}
		})
	}
}

func TestSet(t *testing.T) {
	const before = "MESSAGE=Hello\nCOLOR=steelblue\nVERSION=1.0.0\n"
	const want = "MESSAGE=Hello\nCOLOR=tomato\nVERSION=1.0.0\n"
	if got := set(before, "COLOR", "tomato"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCPUTime(t *testing.T) {
	const stat = "42 (a name) with) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 10 0 100"
	got, err := cpuTime(stat)
	if err != nil || got != 2*time.Second {
		t.Errorf("got %s, %v; want 2s", got, err)
	}
	if _, err := cpuTime("42 (short) S 1"); err == nil {
		t.Error("a line that is too short is no error")
	}
}

func TestLeftovers(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("there is no /proc here")
	}
	dir := t.TempDir()
	if left := append(leftProcesses(dir), leftFiles(dir)...); len(left) != 0 {
		t.Fatalf("before anything was there: %v", left)
	}
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if left := leftFiles(dir); !slices.Equal(left, []string{"file a/file"}) {
		t.Errorf("files: %v", left)
	}
	cmd := exec.CommandContext(t.Context(), "cat") // waits for its input
	cmd.Env = []string{"STATE=" + dir}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if left := leftProcesses(dir); len(left) != 1 || !strings.Contains(left[0], "cat") {
		t.Errorf("processes: %v", left)
	}
	input.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if left := leftProcesses(dir); len(left) != 0 {
		t.Errorf("after its end: %v", left)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	if code := run(ctx, []string{"-fluxdemo", anyProgram(t), "-bundle", t.TempDir()}, &out, &errOut); code != exitFailure {
		t.Errorf("exit code %d, want %d", code, exitFailure)
	}
	if !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("it does not say so: %s", errOut.String())
	}
}
