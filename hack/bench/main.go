// Command bench measures what fluxdemo promises: how fast a cluster is there
// and gone, how fast a push arrives, and what an idle cluster costs. It
// prints a table and JSON, and compares with kwokctl and with Flux on bare
// processes in the same run on the same machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Exit codes, as everywhere in fluxdemo.
const (
	exitFailure = 1
	exitUsage   = 2
)

// options is what the flags say.
type options struct {
	fluxdemo string // path of the program that is measured
	bundle   string // folder of the bundle
	only     []string
	peers    bool
	node     string // image of kind's nodes
	pushes   int
	runs     int
	rounds   int
	resets   int
	pace     time.Duration // a push starts this long after the one before, at the earliest
	idle     time.Duration
	jsonFile string
	output   string
	strict   bool
	progress io.Writer
}

// section is a part of the measurements that can be run alone.
type section struct {
	name    string
	always  bool // runs unless -only says otherwise
	measure func(context.Context, options, *Report) error
}

func sections(o options) []section {
	return []section{
		{"help", true, measureHelp},
		{"start", true, measureStart},
		{"peers", o.peers, measurePeers},
		{"push", true, measurePush},
		{"idle", true, measureIdle},
		{"walks", true, measureWalks},
		{"stage", true, measureStage},
		{"kinds", o.node != "", measureKinds},
		{"resets", false, measureResets},
		{"build", false, measureBuild},
		{"busy", false, measureBusy},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	o, err := parse(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(errOut, "bench: %v\n", err)
		return exitUsage
	}
	report, err := measure(ctx, o)
	if printing := publish(report, o, out); printing != nil {
		err = errors.Join(err, printing)
	}
	if err != nil {
		fmt.Fprintf(errOut, "bench: %v\n", err)
		return exitFailure
	}
	if o.strict && report.Missed() {
		return exitFailure
	}
	return 0
}

func parse(args []string, errOut io.Writer) (options, error) {
	o := options{progress: errOut}
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&o.fluxdemo, "fluxdemo", filepath.Join("bin", "fluxdemo"), "`path` of the program to measure")
	flags.StringVar(&o.bundle, "bundle", filepath.Join("build", "bundle"), "`folder` of the bundle")
	flags.StringVar(&only, "only", "", "measure only these, comma separated: help, start, peers, push, idle, walks, stage, kinds, resets, build, busy")
	flags.BoolVar(&o.peers, "peers", false, "build kwokctl and measure it as well")
	flags.StringVar(&o.node, "node-image", "", "measure a kind cluster as well, with this `image` for its node")
	flags.IntVar(&o.pushes, "pushes", 50, "how many pushes")
	flags.IntVar(&o.runs, "runs", 3, "how often a cluster is brought up")
	flags.IntVar(&o.rounds, "rounds", 1, "how often all walks are done: in order, in reverse, in any order, and so on")
	flags.IntVar(&o.resets, "resets", 50, "how many resets, each after a random mess")
	flags.DurationVar(&o.pace, "pace", 2*time.Second, "time from one push to the next, at least")
	flags.DurationVar(&o.idle, "idle", time.Minute, "how long the idle cluster is watched")
	flags.StringVar(&o.jsonFile, "json", "", "write the report as JSON to this `file`")
	flags.StringVar(&o.output, "o", "", "`json`: print the report as JSON after the table")
	flags.BoolVar(&o.strict, "strict", false, "end with code 1 if a target is missed")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	}
	if o.output != "" && o.output != "json" {
		return o, fmt.Errorf("-o %s: the only valid value is json", o.output)
	}
	if o.runs < 1 || o.rounds < 1 || o.resets < 1 || o.pushes < 1 || o.idle <= 0 || o.pace < 0 {
		return o, errors.New("-runs, -rounds, -resets, -pushes, -idle, and -pace must be greater than 0")
	}
	for _, s := range sections(o) {
		if s.always {
			o.only = append(o.only, s.name)
		}
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.ContainsFunc(sections(o), func(s section) bool { return s.name == name }) {
			return o, fmt.Errorf("-only %s: unknown part; see -help", name)
		}
	}
	return o, o.absolute()
}

// absolute makes the paths good for any working folder.
func (o *options) absolute() error {
	for _, path := range []*string{&o.fluxdemo, &o.bundle} {
		full, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = full
		// Building the bundle is measured without one.
		if _, err := os.Stat(full); err != nil && !slices.Equal(o.only, []string{"build"}) {
			return fmt.Errorf("%w; `make bundle build` builds the bundle and the program", err)
		}
	}
	return nil
}

// measure runs the chosen parts. A part that fails does not keep the others
// from being measured.
func measure(ctx context.Context, o options) (*Report, error) {
	report := &Report{Started: time.Now().UTC(), Machine: describeMachine(), Parts: o.only}
	if report.Machine.busy() {
		report.note("The machine was busy before this began, so the figures say more about its neighbours than about fluxdemo.")
	}
	var errs []error
	for _, s := range sections(o) {
		if !slices.Contains(o.only, s.name) || ctx.Err() != nil {
			continue
		}
		o.say("%s:", s.name)
		if err := s.measure(ctx, o, report); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			report.note("%s was not measured to its end: %s", s.name, firstLine(err))
		}
	}
	if ctx.Err() != nil {
		errs = append(errs, errors.New("interrupted"))
	}
	return report, errors.Join(errs...)
}

// say tells the user how far it is.
func (o options) say(format string, args ...any) {
	fmt.Fprintf(o.progress, format+"\n", args...)
}

// publish prints the table and writes the JSON.
func publish(report *Report, o options, out io.Writer) error {
	report.WriteTable(out)
	if o.output == "json" {
		fmt.Fprintln(out)
		if err := report.WriteJSON(out); err != nil {
			return err
		}
	}
	if o.jsonFile == "" {
		return nil
	}
	file, err := os.Create(o.jsonFile)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	defer file.Close()
	if err := report.WriteJSON(file); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return file.Close()
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
