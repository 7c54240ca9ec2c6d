package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// shown is how many of the slowest tests the report names; reasonLines, after how many it ends a failed test's words.
const (
	shown       = 10
	reasonLines = 12
)

// message matches the line with which what a test says begins, "demo_test.go:12: no page", in a test or a part of one.
var message = regexp.MustCompile(`^\s+\w+_test\.go:\d+: `)

// event is a line of `go test -json`.
type event struct {
	Time       time.Time
	Action     string
	Package    string
	ImportPath string // of output of the build
	Test       string
	Elapsed    float64 // in seconds
	Output     string
}

// turn ends the line by which a test says that it has waited for others until now.
const turn = ": its turn has come\n"

// timed is a top-level test and its time in seconds, or a part of one that has waited for a turn of its own.
type timed struct {
	name, pkg string
	seconds   float64
}

// report prints the output of `go test` and remembers how long each test took.
type report struct {
	out     io.Writer
	verbose bool                 // as go test -v: print the output of tests that pass, too
	held    map[string][]string  // output of the tests that run, by package and top-level test
	turns   map[string]time.Time // when a test's turn came, by package and test
	tests   []timed
	reasons []string // why tests failed, in lines
	last    string   // Go's line for a package, held until it is known whether the report ends with it
	failed  bool
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{out: out, verbose: verbose, held: map[string][]string{}, turns: map[string]time.Time{}}
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
		if strings.HasPrefix(e.Output, "panic: ") { // so a time-out begins, too
			r.reasons = append(r.reasons, e.Output)
		}
		if e.Test != "" && strings.HasSuffix(e.Output, turn) {
			r.turns[e.Package+" "+e.Test] = e.Time
		}
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
		name := e.Package + " " + e.Test
		began, waited := r.turns[name]
		delete(r.turns, name)
		if waited {
			e.Elapsed = e.Time.Sub(began).Seconds()
		}
		if waited || !sub {
			r.tests = append(r.tests, timed{e.Test, e.Package, e.Elapsed})
		}
		if sub {
			return
		}
		if e.Action == "fail" {
			r.print(r.held[key]...)
			r.reasons = append(r.reasons, top+" failed:\n")
			r.reasons = append(r.reasons, reason(r.held[key])...)
		}
		delete(r.held, key)
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

// reason returns the first line of each thing that a failed test said, and the end of it if it has more: of a command,
// its last words. Where a test prints whole logs, they come after.
func reason(output []string) (lines []string) {
	for i := 0; i < len(output) && len(lines) < reasonLines; i++ {
		if !message.MatchString(output[i]) || strings.HasSuffix(output[i], turn) {
			continue
		}
		end := i + 1
		for end < len(output) && !message.MatchString(output[end]) && !strings.Contains(output[end], "--- FAIL: ") {
			end++
		}
		lines = append(lines, output[i])
		lines = append(lines, output[max(i+1, end-4):end]...)
		i = end - 1
	}
	return lines
}

// end prints the slowest tests, why tests failed, and then the line of the package that ended last: a log ends with
// Go's own words, and many show only its end.
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
	r.print(r.reasons...)
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
