// Package report writes reports of walks for other programs: lines of JSON,
// JUnit for CI servers, and recordings for asciinema.
package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Record is one line of a run's JSON report.
type Record struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // walk-start, walk-end, step-start, step-end, command or check
	Walk    string    `json:"walk"`
	Step    int       `json:"step,omitempty"` // counted from 1; none for setup and cleanup
	Title   string    `json:"title,omitempty"`
	Command string    `json:"command,omitempty"` // as it is written in the file
	Check   string    `json:"check,omitempty"`   // what a check waited for, in words
	Line    int       `json:"line,omitempty"`    // of the command or check in the walk's file
	OK      *bool     `json:"ok,omitempty"`      // of what has ended
	Seconds *float64  `json:"seconds,omitempty"` // how long that took
	Error   string    `json:"error,omitempty"`
}

// Report collects what happens in runs of walks, for machines.
type Report struct {
	lines *json.Encoder
	err   error // the first line that could not be written
	suite []*suite
}

// New makes a report that writes a line of JSON for each event that matters to lines as it happens; a nil
// lines writes none. What is collected for JUnit is written by WriteJUnit.
func New(lines io.Writer) *Report {
	r := &Report{}
	if lines != nil {
		r.lines = json.NewEncoder(lines)
		r.lines.SetEscapeHTML(false)
	}
	return r
}

// Begin says that a walk begins, and returns what takes its events.
func (r *Report) Begin(w *walk.Walk) walk.Events {
	s := &suite{walk: w, start: time.Now(), cases: map[*walk.Step]*testCase{}}
	r.suite = append(r.suite, s)
	r.write(Record{Event: "walk-start", Walk: w.Name, Title: w.Title})
	return func(ev walk.Event) { r.event(s, ev) }
}

// End says that the walk of the last Begin is over, with its error, and returns an error if the report itself could
// not be written.
func (r *Report) End(err error) error {
	s := r.suite[len(r.suite)-1]
	s.took, s.err = time.Since(s.start), err
	rec := Record{Event: "walk-end", Walk: s.walk.Name}
	rec.ended(s.took, err)
	r.write(rec)
	if r.err != nil {
		return fmt.Errorf("writing the report: %w", r.err)
	}
	return nil
}

func (r *Report) event(s *suite, ev walk.Event) {
	rec := Record{Walk: s.walk.Name, Step: ev.Step.Number, Title: ev.Step.Title}
	switch ev.Kind {
	case walk.StepStart:
		rec.Event = "step-start"
	case walk.CommandEnd:
		if ev.Block.Role == walk.Check {
			return // the check is one line as a whole
		}
		rec.Event, rec.Command, rec.Line = "command", ev.Command.Text, ev.Command.Line
		rec.ended(ev.Elapsed, ev.Err)
	case walk.BlockEnd:
		if ev.Block.Role != walk.Check {
			return
		}
		rec.Event, rec.Check, rec.Line = "check", ev.Block.Name(), ev.Block.Line
		rec.ended(ev.Elapsed, ev.Err)
	case walk.StepEnd:
		rec.Event = "step-end"
		rec.ended(ev.Elapsed, ev.Err)
		s.cases[ev.Step] = &testCase{took: ev.Elapsed, err: ev.Err}
	default:
		return
	}
	r.write(rec)
}

func (rec *Record) ended(took time.Duration, err error) {
	ok, seconds := err == nil, took.Seconds()
	rec.OK, rec.Seconds = &ok, &seconds
	if err != nil {
		rec.Error = err.Error()
	}
}

func (r *Report) write(rec Record) {
	if r.lines == nil || r.err != nil {
		return
	}
	rec.Time = time.Now()
	for _, text := range []*string{&rec.Title, &rec.Command, &rec.Check, &rec.Error} {
		*text = plaintext.Text(*text)
	}
	r.err = r.lines.Encode(rec)
}

// suite is one run of a walk.
type suite struct {
	walk  *walk.Walk
	start time.Time
	took  time.Duration
	err   error
	cases map[*walk.Step]*testCase // of what has ended; a second try replaces the first
}

type testCase struct {
	took time.Duration
	err  error
}

// The elements of a JUnit report, as CI servers read them.
type (
	xmlSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suites  []xmlSuite `xml:"testsuite"`
	}
	xmlSuite struct {
		Name      string    `xml:"name,attr"`
		Tests     int       `xml:"tests,attr"`
		Failures  int       `xml:"failures,attr"`
		Skipped   int       `xml:"skipped,attr"`
		Time      string    `xml:"time,attr"`
		Timestamp string    `xml:"timestamp,attr"`
		Cases     []xmlCase `xml:"testcase"`
	}
	xmlCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		File    string      `xml:"file,attr"`
		Line    int         `xml:"line,attr"`
		Time    string      `xml:"time,attr"`
		Failure *xmlFailure `xml:"failure"`
		Skipped *struct{}   `xml:"skipped"`
	}
	xmlFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes all runs so far as JUnit XML: a suite for each walk, a case for each step, setup and cleanup
// included. Steps that were not reached are skipped.
func (r *Report) WriteJUnit(w io.Writer) error {
	var all xmlSuites
	for _, s := range r.suite {
		all.Suites = append(all.Suites, s.xml())
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	if _, err := fmt.Fprintf(w, "%s%s\n", xml.Header, out); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	return nil
}

func (s *suite) xml() xmlSuite {
	x := xmlSuite{Name: s.walk.Name, Time: xmlTime(s.took), Timestamp: s.start.UTC().Format("2006-01-02T15:04:05")}
	reported := false // the walk's error belongs to a step
	add := func(step *walk.Step, name string) {
		c := xmlCase{Class: s.walk.Name, Name: plaintext.Line(name), File: s.walk.File, Line: step.Line, Time: xmlTime(0)}
		if ended := s.cases[step]; ended == nil {
			c.Skipped = &struct{}{}
			x.Skipped++
		} else {
			c.Time = xmlTime(ended.took)
			if ended.err != nil {
				c.Failure, reported = failure(ended.err), true
				x.Failures++
			}
		}
		x.Cases = append(x.Cases, c)
	}
	if s.walk.Setup != nil {
		add(s.walk.Setup, s.walk.Setup.Title)
	}
	for i := range s.walk.Steps {
		step := &s.walk.Steps[i]
		add(step, fmt.Sprintf("%d %s", step.Number, step.Title))
	}
	if s.walk.Cleanup != nil {
		add(s.walk.Cleanup, s.walk.Cleanup.Title)
	}
	if s.err != nil && !reported {
		x.Failures++
		x.Cases = append(x.Cases, xmlCase{Class: s.walk.Name, Name: "Run", File: s.walk.File, Line: 1, Time: xmlTime(s.took), Failure: failure(s.err)})
	}
	x.Tests = len(x.Cases)
	return x
}

func failure(err error) *xmlFailure {
	text := plaintext.Text(err.Error())
	first, _, _ := strings.Cut(text, "\n")
	return &xmlFailure{Message: first, Text: text}
}

func xmlTime(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
