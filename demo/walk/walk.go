// Package walk parses walks, which are executable Markdown, and runs them on a cluster. Parse returns a Walk,
// a Runner runs its steps and reports events, and a Session keeps its progress. The packages plain and tui show the
// events to a user.
package walk

import (
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// Walk is a parsed walk: the values of its front matter, and its steps in order.
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
	// Clone is the folder, in the work folder, of the walk's clone of the fleet, such as "fleet"; "" for a walk without
	// one. See CloneStep.
	Clone   string
	Intro   []Block // prose and diagrams before the first step
	Setup   *Step   // run without output before the first step; nil when there is none
	Steps   []Step  // at least one
	Cleanup *Step   // run when the walk is over, also after a failure; nil when there is none

	needsAt [][2]int // line and column of each of Needs
}

// NeedError returns an error about the i-th of Needs, with its line and column.
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
	Solve   Role = "solve"   // commands that do the step for a learner whose earlier steps were done in another way

	// Texts for learners, who do the step without the walk's commands.
	Task Role = "task" // what to do
	Hint Role = "hint" // help; a step may have several, each saying more than the one before
	Why  Role = "why"  // what the step has shown; for afterwards
)

// Block is a piece of a step: a paragraph, or a fenced block.
type Block struct {
	Role     Role
	Line     int            // line of its first text, or of its opening fence
	Lang     string         // the fenced block's language
	Label    string         // label="...": what a check waits for, in words
	Always   bool           // of a check: what it looks at is so before the step, too, and has to stay so
	Timeout  time.Duration  // deadline of each of its commands
	Text     string         // Markdown of prose; otherwise what is between the fences
	Commands []ShellCommand // the block's shell commands, in order
}

// ShellCommand is one top-level shell statement of a block, as it is typed.
type ShellCommand struct {
	Line, Col int    // where it starts in the file, counted from 1, columns in bytes
	Text      string // as it is written in the file; may have several lines
	Comment   string // the comment directly above it, without its marks; in a check, what it means when the command fails
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

// Solution returns the blocks that do the step for a learner, in order. They are its actions, unless it has blocks
// that do not depend on how earlier steps were done.
func (s *Step) Solution() []Block {
	if own := s.With(Solve); len(own) > 0 {
		return append(own, s.Checks()...)
	}
	return s.Actions()
}

// Checks returns the step's checks in order.
func (s *Step) Checks() []Block { return s.With(Check) }

// Undo returns the blocks that take the step back, in order; none when the step changes nothing.
func (s *Step) Undo() []Block { return s.With(Undo) }

// Task returns the texts that say to a learner what to do; none when the step has none.
func (s *Step) Task() []Block { return s.With(Task) }

// Why returns the texts that say to a learner what the step has shown; none when the step has none.
func (s *Step) Why() []Block { return s.With(Why) }

// Hints returns the help for a step by its levels: each of its hint blocks, and at last its commands, unless it changes
// nothing: then learners see the commands with the task.
func (s *Step) Hints() [][]Block {
	var levels [][]Block
	for _, b := range s.With(Hint) {
		levels = append(levels, []Block{b})
	}
	if commands := s.With(Change, Look); len(s.With(Change)) > 0 {
		levels = append(levels, commands)
	}
	return levels
}

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
