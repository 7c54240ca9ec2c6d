// Package diagrams has what browsers receive of diagrams: the source, what its nodes and edges are bound to, the states
// and pulses of the cluster, and the details of an object. The stage and the page for learners send them.
package diagrams

import (
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
)

// Diagram is a diagram as browsers receive it.
type Diagram struct {
	ID     string           `json:"id"`
	Source string           `json:"source"`
	Bind   *binding.Binding `json:"bind,omitempty"`
	// Planned says that the targets of Bind exist only once the diagram runs.
	Planned bool   `json:"planned,omitempty"`
	Error   string `json:"error,omitempty"` // why it cannot be live; it may still be drawn
}

// Binder says what the nodes of diagrams stand for.
type Binder struct {
	Defaults binding.Defaults
	// Planned returns the targets of a diagram, given by its text, when it runs; it may be nil.
	Planned func(source string) map[string]string
}

// New binds a diagram's nodes to the cluster if it is a flowchart. bind are targets that its author gives, by nodes. If
// the diagram has an error, the browser shows its source with mermaid's error.
func New(id, source string, bind map[string]string, to Binder) Diagram {
	m := Diagram{ID: id, Source: source}
	if !flowchart.Is(source) {
		return m
	}
	chart, err := flowchart.Parse(source)
	if err != nil {
		m.Error = err.Error()
		return m
	}
	b, err := binding.Bind(chart, bind, to.Defaults)
	if err != nil {
		m.Error = err.Error()
		return m
	}
	if len(b.Nodes) == 0 && len(b.Subgraphs) == 0 && to.Planned != nil {
		if nodes := to.Planned(source); nodes != nil {
			if planned, err := binding.Bind(chart, nodes, to.Defaults); err == nil {
				b, m.Planned = planned, true
			}
		}
	}
	m.Bind = &b
	return m
}

// Edges returns the indexes of the edges that a pulse crosses.
func Edges(b binding.Binding, p binding.Pulse) []int {
	var all []int
	for _, e := range b.Edges {
		if e.Travels(p) {
			all = append(all, e.Index)
		}
	}
	return all
}

// State is the state of a target as browsers receive it.
type State struct {
	Target   binding.Target `json:"target"`
	Status   live.Status    `json:"status"`
	Message  string         `json:"message,omitempty"`
	Revision string         `json:"revision,omitempty"`
	Since    int64          `json:"since"` // in milliseconds since 1970
	At       float64        `json:"at"`    // when the watch received it, in milliseconds since 1970
}

// NewState makes a state that the watch received at a time.
func NewState(st live.State, at time.Time) State {
	return State{st.Target, st.Status, st.Message, st.Revision, st.Since.UnixMilli(), millis(at)}
}

// Pulse is a pulse as browsers receive it.
type Pulse struct {
	From     binding.Target `json:"from"`
	To       binding.Target `json:"to"`
	What     string         `json:"what"`
	Revision string         `json:"revision,omitempty"`
	Object   string         `json:"object,omitempty"`
	Evidence string         `json:"evidence,omitempty"`
	At       float64        `json:"at"` // as in State
	// Edges are the edges that it has crossed, by the ID of their diagram.
	Edges map[string][]int `json:"edges"`
}

// NewPulse makes a pulse that the watch received at a time, and that has crossed edges.
func NewPulse(p binding.Pulse, at time.Time, edges map[string][]int) Pulse {
	return Pulse{p.From, p.To, p.What, p.Revision, p.Object, p.Evidence, millis(at), edges}
}

// millis is a time as browsers count it, down to the microsecond.
func millis(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }
