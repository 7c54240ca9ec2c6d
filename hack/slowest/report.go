package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// shown is how many of the slowest tests the report names.
const shown = 10

// event is a line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of output of the build
	Test       string
	Elapsed    float64 // in seconds
	Output     string
}

// timed is a top-level test and its time in seconds.
type timed struct {
	name, pkg string
	seconds   float64
}

// report prints the output of `go test` and remembers how long each test took.
type report struct {
	out     io.Writer
	verbose bool                // as go test -v: print the output of tests that pass, too
	held    map[string][]string // output of the tests that run, by package and top-level test
	tests   []timed
	last    string // Go's line for a package, held until it is known whether the report ends with it
	failed  bool
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{out: out, verbose: verbose, held: map[string][]string{}}
}

// read takes the lines of `go test -json` until the end. What is no JSON, such as an error of the build, is printed.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in) // a line may be longer than a Scanner takes
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				r.print(string(line))
			} else {
				r.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) take(e event) {
	top, _, sub := strings.Cut(e.Test, "/")
	key := e.Package + " " + top
	switch e.Action {
	case "output", "build-output":
		switch {
		case e.Test == "" && isSummary(e.Output):
			// A panic or a time-out ends a package without an end for each of its tests.
			r.drop(e.Package, strings.HasPrefix(e.Output, "FAIL\t"))
			r.print()
			r.last = e.Output
		case r.verbose || e.Test == "" && e.Output != "PASS\n":
			r.print(e.Output)
		case e.Test != "" && !isNoise(e.Output):
			r.held[key] = append(r.held[key], e.Output)
		}
	case "build-fail":
		r.failed = true
	case "pass", "skip", "fail":
		r.failed = r.failed || e.Action == "fail"
		if e.Test == "" {
			r.drop(e.Package, e.Action == "fail")
			return
		}
		if sub {
			return
		}
		if e.Action == "fail" {
			r.print(r.held[key]...)
		}
		delete(r.held, key)
		r.tests = append(r.tests, timed{e.Test, e.Package, e.Elapsed})
	}
}

// drop forgets the output of a package's tests that is held, and prints it first if they failed.
func (r *report) drop(pkg string, failed bool) {
	for key, output := range r.held {
		if strings.HasPrefix(key, pkg+" ") {
			if failed {
				r.print(output...)
			}
			delete(r.held, key)
		}
	}
}

// end prints the slowest tests, and then the line of the package that ended last: a log ends with Go's own words.
func (r *report) end() {
	last := r.last
	r.last = ""
	slices.SortStableFunc(r.tests, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	slowest := r.tests[:min(shown, len(r.tests))]
	if len(slowest) > 0 {
		r.print(fmt.Sprintf("The %d slowest tests:\n", len(slowest)))
	}
	for _, t := range slowest {
		r.print(fmt.Sprintf("%8.2fs  %s  %s\n", t.seconds, t.name, t.pkg))
	}
	r.print(last)
	if r.failed {
		r.print("FAIL\n") // as go test ends
	}
}

// print prints what was held, and then all.
func (r *report) print(all ...string) {
	all = append([]string{r.last}, all...)
	r.last = ""
	for _, s := range all {
		fmt.Fprint(r.out, s)
	}
}

// isSummary tells Go's line for a package from what its tests print.
func isSummary(line string) bool {
	for _, begin := range []string{"ok  \t", "FAIL\t", "---\t", "?   \t"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return strings.HasPrefix(line, "\t") && strings.Contains(line, "coverage:")
}

// isNoise tells the lines that only go test -v prints.
func isNoise(line string) bool {
	for _, begin := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}
