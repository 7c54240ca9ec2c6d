package learn

import (
	"strings"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
)

// lessonModel is the walk as browsers receive it.
type lessonModel struct {
	Walk     string            `json:"walk"`
	Title    string            `json:"title"`
	Intro    []string          `json:"intro"` // before the first step
	Position int               `json:"position"`
	Of       int               `json:"of"`               // how many steps the walk has
	Step     *stepModel        `json:"step"`             // null at the end
	Before   *beforeModel      `json:"before,omitempty"` // the step before, once it is done
	Busy     string            `json:"busy,omitempty"`   // what runs, in words
	Taken    int               `json:"taken"`            // how many commands of pages were taken
	Waiting  string            `json:"waiting,omitempty"`
	Trouble  string            `json:"trouble,omitempty"`
	Note     string            `json:"note,omitempty"`   // what the learner has to do because of the last command
	Follow   string            `json:"follow,omitempty"` // the command that does it
	Output   string            `json:"output,omitempty"` // of the commands that the page has run last
	Diagram  *diagrams.Diagram `json:"diagram,omitempty"`
	First    []string          `json:"first"` // what to type first in a shell
	Terminal bool              `json:"terminal"`
	Links    []Link            `json:"links"` // the demo's pages
	Again    string            `json:"again"` // the command that starts the walk again
	Ready    bool              `json:"ready"` // the setup is done
	Ended    bool              `json:"ended"` // the walk is cleaned up
}

// stepModel is the step to do.
type stepModel struct {
	ID     string        `json:"id"`
	Title  string        `json:"title"`
	Task   []string      `json:"task"`
	Looks  bool          `json:"looks"`  // it changes nothing: a button goes on
	Do     []string      `json:"do"`     // the commands of a step that only looks
	Hints  []hintModel   `json:"hints"`  // those that the learner has asked for
	Levels int           `json:"levels"` // how many hints there are
	Result []resultModel `json:"result"` // of each check; empty before the first
	At     int64         `json:"at"`     // when the checks were tried, in milliseconds since 1970
	Asked  bool          `json:"asked"`  // the learner has asked for that
}

// hintModel is a hint: a text, or commands.
type hintModel struct {
	Text     string   `json:"text,omitempty"`
	Commands []string `json:"commands"`
}

// resultModel says whether a check holds.
type resultModel struct {
	Name   string `json:"name"`
	Holds  bool   `json:"holds"`
	Always bool   `json:"always"` // it holds before the step, too
	// Unknown says that the cluster did not answer in time.
	Unknown bool   `json:"unknown"`
	Why     string `json:"why,omitempty"`
}

// beforeModel is a step that is done.
type beforeModel struct {
	Title string   `json:"title"`
	Why   []string `json:"why"` // what it has shown
}

// texts returns the paragraphs of blocks. Code stands between backquotes.
func texts(blocks []walk.Block) []string {
	all := []string{}
	for i := range blocks {
		if b := &blocks[i]; b.Role != walk.Prose {
			all = append(all, strings.TrimSpace(b.Text))
			continue
		}
		for _, p := range blocks[i].Paragraphs() {
			all = append(all, p.Bullet+p.Text)
		}
	}
	return all
}

// commands returns the commands of blocks.
func commands(blocks []walk.Block) []string {
	all := []string{}
	for i := range blocks {
		for j := range blocks[i].Commands {
			all = append(all, blocks[i].Commands[j].Text)
		}
	}
	return all
}

// looks reports whether a step changes nothing, so that only the learner can say that it is done.
func looks(step *walk.Step) bool { return len(step.With(walk.Change)) == 0 }

// newStep makes the model of a step of which the learner has seen some hints.
func newStep(step *walk.Step, hints int) *stepModel {
	m := &stepModel{
		ID: step.ID, Title: step.Title, Task: texts(step.Task()), Looks: looks(step), Do: []string{}, Hints: []hintModel{},
		Levels: len(step.Hints()), Result: []resultModel{},
	}
	if len(m.Task) == 0 {
		m.Task = texts(step.With(walk.Prose))
	}
	if m.Looks {
		m.Do = commands(step.With(walk.Look))
	}
	for _, level := range step.Hints()[:min(hints, m.Levels)] {
		hint := hintModel{Commands: commands(level)}
		if level[0].Role == walk.Hint {
			hint.Text = strings.TrimSpace(level[0].Text)
		}
		m.Hints = append(m.Hints, hint)
	}
	return m
}

func newResults(results []walk.Result) []resultModel {
	all := []resultModel{}
	for _, r := range results {
		all = append(all, resultModel{Name: r.Check.Name(), Holds: r.Holds, Always: r.Check.Always, Unknown: r.Unknown, Why: r.Why})
	}
	return all
}
