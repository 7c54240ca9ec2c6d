// Package walk reads walks, which are stories told in executable Markdown, and runs them against a cluster.
// Parsing, running and showing are apart: Parse makes a Walk, a Runner does its steps and reports events, and a
// face such as plain or tui turns the events into what a person reads.
package walk

import (
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// Walk is one story: its facts from the front matter, and its steps in order.
type Walk struct {
	Name     string        // the file's name without its folder and ending, such as "gitops"
	File     string        // the name given to Parse; errors show it
	Hash     string        // of the file's text: another text is another walk
	Title    string        // the first heading
	Needs    []string      // names of walks whose end state this one builds on
	Duration time.Duration // about how long it takes on stage; 0 when not said
	Slides   []string      // titles of the slides that it belongs to
	// OwnCluster says that the walk changes what belongs to all of a cluster, such as Flux's own settings: it must not
	// run on one that is not the demo's alone.
	OwnCluster bool
	Intro      []Block // prose and diagrams before the first step
	Setup      *Step   // run without output before the first step; nil when there is none
	Steps      []Step  // at least one
	Cleanup    *Step   // run when the walk is over, also after a failure; nil when there is none

	needsAt [][2]int // line and column of each of Needs
}

// NeedError is a mistake in the i-th of Needs, at its place in the file.
func (w *Walk) NeedError(i int, msg string) *SyntaxError {
	at := w.needsAt[i]
	return &SyntaxError{File: w.File, Line: at[0], Col: at[1], Msg: msg}
}

// Step is one heading with what is said and done under it.
type Step struct {
	Number int     // 1 for the first step; 0 for setup and cleanup
	ID     string  // the title in lower case with dashes; unique in the walk
	Title  string  // the heading's text
	Line   int     // the heading's line in the file
	Blocks []Block // everything under the heading, in the order of the file
}

// Role says what a block is for.
type Role string

// The roles. Prose, Listing and Diagram are only shown; the others come from fenced blocks with language sh or bash.
const (
	Prose   Role = "prose"   // narration
	Listing Role = "listing" // an example that is shown and not run
	Diagram Role = "diagram" // a mermaid diagram
	Change  Role = "change"  // commands that change something, and so need an undo
	Look    Role = "look"    // commands that change nothing
	Check   Role = "check"   // commands that wait for a state; exit status 0 means that it holds
	Undo    Role = "undo"    // commands that bring back the state before the step
	Hint    Role = "hint"    // help for somebody who does the step on their own
)

// Block is a piece of a step: a paragraph, or a fenced block.
type Block struct {
	Role     Role
	Line     int            // line of its first text, or of its opening fence
	Lang     string         // the fenced block's language
	Label    string         // label="...": what a check waits for, in words
	Timeout  time.Duration  // deadline of each of its commands
	Text     string         // Markdown of prose; otherwise what is between the fences
	Commands []ShellCommand // the block's shell commands, in order
}

// ShellCommand is one top-level shell statement of a block, as it is typed.
type ShellCommand struct {
	Line, Col int    // where it starts in the file, counted from 1, columns in bytes
	Text      string // as it is written in the file; may have several lines
	stmt      *syntax.Stmt
}

// Name returns the check's label, or its first command when it has no label.
func (b *Block) Name() string {
	if b.Label != "" || len(b.Commands) == 0 {
		return b.Label
	}
	return firstLine(b.Commands[0].Text)
}

// Actions returns the blocks that a run of the step executes, in order: changes, looks and checks.
func (s *Step) Actions() []Block { return s.With(Change, Look, Check) }

// Checks returns the step's checks in order.
func (s *Step) Checks() []Block { return s.With(Check) }

// Undo returns the blocks that take the step back, in order; none when the step changes nothing.
func (s *Step) Undo() []Block { return s.With(Undo) }

// Hint returns the texts of the step's hints; none when it has no hint.
func (s *Step) Hint() []Block { return s.With(Hint) }

// With returns the step's blocks of these roles, in the order of the file.
func (s *Step) With(roles ...Role) []Block {
	var out []Block
	for _, b := range s.Blocks {
		for _, r := range roles {
			if b.Role == r {
				out = append(out, b)
			}
		}
	}
	return out
}
