package tui

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// page is what was typed and checked in one step. Its zero value is that of a step that has not run.
type page struct {
	entries []*entry
	skipped bool // the step is done, and was not shown
}

// status is how far an entry is.
type status int

const (
	underway status = iota
	succeeded
	failed
)

// entry is one command that was typed, or one check.
type entry struct {
	block   *walk.Block
	command *walk.ShellCommand // nil for a check
	hidden  bool               // the command is still being typed
	shown   int                // how many of its characters are typed so far
	output  output
	waiting string // what the check last said
	since   time.Time
	elapsed time.Duration
	status  status
}

// check reports whether the entry is a check.
func (e *entry) check() bool { return e.command == nil }

// apply takes in an event of a run of the step, and returns the entry of a command that starts.
func (p *page) apply(ev walk.Event, now time.Time) *entry {
	switch ev.Kind {
	case walk.StepStart:
		*p = page{}
		return nil
	case walk.BlockStart:
		if ev.Block.Role == walk.Check {
			p.entries = append(p.entries, &entry{block: ev.Block, since: now})
		}
		return nil
	case walk.CommandStart:
		if shown(ev.Block) {
			e := &entry{block: ev.Block, command: ev.Command, since: now}
			p.entries = append(p.entries, e)
			return e
		}
		return nil
	}
	if len(p.entries) == 0 {
		return nil
	}
	e := p.entries[len(p.entries)-1]
	switch ev.Kind {
	case walk.Output:
		e.output.write(ev.Text)
	case walk.Waiting:
		e.waiting, e.elapsed = clean(ev.Text), ev.Elapsed
	case walk.CommandEnd:
		if !e.check() {
			e.end(ev.Err, now.Sub(e.since)) // not the event's time: that has the typing in it
		}
	case walk.BlockEnd:
		if e.check() {
			e.end(ev.Err, ev.Elapsed)
		}
	}
	return nil
}

func (e *entry) end(err error, took time.Duration) {
	e.status, e.elapsed, e.waiting, e.hidden = succeeded, took, "", false
	if err != nil {
		e.status = failed
	}
}

// keepLines is how many lines of one command's output are kept.
const keepLines = 2000

// output is what a command has written, as lines that can be shown.
type output struct {
	lines   []string
	partial string // the last line, which has no end yet
	dropped int    // how many of the first lines are gone
}

func (o *output) write(text string) {
	lines := strings.Split(o.partial+text, "\n")
	o.partial = lines[len(lines)-1]
	for _, l := range lines[:len(lines)-1] {
		o.lines = append(o.lines, clean(l))
	}
	if extra := len(o.lines) - keepLines; extra > 0 {
		o.lines = append([]string(nil), o.lines[extra:]...)
		o.dropped += extra
	}
}

// all returns the lines, the one without an end too.
func (o *output) all() []string {
	if o.partial == "" {
		return o.lines
	}
	return append(o.lines[:len(o.lines):len(o.lines)], clean(o.partial))
}

// tabStop is how far a tab goes, as terminals have it.
const tabStop = 8

// clean makes a line of output fit for a screen: no colours or cursor movements of its own, tabs as spaces, and of
// a line that was written over several times only what was left at the end.
func clean(line string) string {
	line = plaintext.Text(plaintext.Last(line))
	var b strings.Builder
	width := 0
	for _, part := range strings.SplitAfter(line, "\t") {
		text, tab := strings.CutSuffix(part, "\t")
		b.WriteString(text)
		width += ansi.StringWidth(text)
		if tab {
			gap := tabStop - width%tabStop
			b.WriteString(strings.Repeat(" ", gap))
			width += gap
		}
	}
	return strings.TrimRight(b.String(), " ")
}
