// Package flowchart parses mermaid's flowcharts: their nodes, edges, and subgraphs, each with its line and column.
// It accepts classes, styles, and clicks, but does not return them.
package flowchart

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mermaid's own limits, beyond which it draws nothing.
const (
	maxText  = 50_000 // characters
	maxEdges = 500
)

// Chart is a flowchart.
type Chart struct {
	// Direction is TB, BT, LR or RL; TD is TB.
	Direction string
	// Nodes stand in the order in which the text names them first.
	Nodes []Node
	// Edges stand in the order in which mermaid numbers them. Their ends are IDs of nodes or of subgraphs.
	Edges []Edge
	// Subgraphs stand in the order in which they begin.
	Subgraphs []Subgraph
}

// Node is a node of a chart.
type Node struct {
	ID string
	// Label is what stands in the node, as plain text on one line; the ID if there is nothing else.
	Label string
	// Shape is mermaid's name of the shape, such as rect, round, circle or diamond, or what `@{ shape: ... }` says.
	Shape string
	// Subgraph is the ID of the innermost subgraph that it belongs to, or empty.
	Subgraph string
	// Line and Col are where the text names it first, from 1; Col counts characters.
	Line, Col int
}

// Edge is a link between two nodes or subgraphs.
type Edge struct {
	// ID is empty unless the text gives one.
	ID       string
	From, To string
	// Label is plain text on one line, or empty.
	Label string
	// Stroke is normal, thick, dotted or invisible.
	Stroke string
	// Tail and Head are what is drawn at From and To: arrow, circle, cross, or nothing.
	Tail, Head string
	// Line and Col are those of the link, from 1.
	Line, Col int
}

// Subgraph is a box around nodes.
type Subgraph struct {
	// ID is what the text says, or what mermaid makes up for a title of several words.
	ID string
	// Title is plain text on one line.
	Title string
	// Parent is the ID of the subgraph around this one, or empty.
	Parent string
	// Nodes are the IDs of the nodes in it, without those of subgraphs within.
	Nodes []string
	// Line and Col are where it begins, from 1.
	Line, Col int
}

// SyntaxError says what in a chart mermaid would not understand, and where.
type SyntaxError struct {
	// Line and Col count from 1; Col counts characters.
	Line, Col int
	Msg       string
}

// Error gives line:column: message.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Msg) }

// Is reports whether the first statement of a diagram's text says that it is a flowchart. Other diagrams of mermaid
// (sequenceDiagram and so on) are none.
func Is(src string) bool {
	p := newParser(src)
	p.spaces()
	return p.keyword() != ""
}

// Parse reads a flowchart. The error is a *SyntaxError.
func Parse(src string) (*Chart, error) {
	if n := utf8.RuneCountInString(src); n > maxText {
		return nil, &SyntaxError{1, 1, fmt.Sprintf("the diagram has %d characters, and mermaid's limit is %d", n, maxText)}
	}
	p := newParser(src)
	if err := p.header(); err != nil {
		return nil, err
	}
	for {
		more, err := p.statement()
		if err != nil {
			return nil, err
		}
		if !more {
			return p.chart()
		}
	}
}

// chart puts together what was read.
func (p *parser) chart() (*Chart, error) {
	if n := len(p.open); n > 0 {
		return nil, p.errorAt(p.open[n-1].at, "the subgraph %q has no end", p.subgraphs[p.open[n-1].index].Title)
	}
	c := &Chart{Direction: p.direction, Edges: p.edges, Subgraphs: p.subgraphs}
	box := map[string]int{} // of a node, by its ID
	for i := range c.Subgraphs {
		s := &c.Subgraphs[i]
		// An ID that names a subgraph is no node, wherever the text names it.
		p.boxes[s.ID] = true
		for _, id := range s.Nodes {
			box[id] = i
		}
		s.Nodes = nil
	}
	for _, n := range p.nodes {
		if p.boxes[n.ID] {
			continue
		}
		if i, ok := box[n.ID]; ok {
			n.Subgraph = c.Subgraphs[i].ID
			c.Subgraphs[i].Nodes = append(c.Subgraphs[i].Nodes, n.ID)
		}
		if n.Label == "" {
			n.Label = n.ID
		}
		c.Nodes = append(c.Nodes, *n)
	}
	return c, nil
}

// header reads the first statement.
func (p *parser) header() error {
	p.spaces()
	at := p.pos
	word := p.keyword()
	if word == "" {
		if p.pos == len(p.src) {
			return p.errorAt(at, "the diagram is empty")
		}
		return p.errorAt(at, "this is not a flowchart: a flowchart begins with `flowchart` or `graph`")
	}
	p.pos += len(word)
	p.blanks()
	at = p.pos
	direction := p.takeWhile(func(r rune) bool { return !strings.ContainsRune(" \t\r\n;", r) })
	var ok bool
	if p.direction, ok = directionOf(direction); !ok {
		return p.errorAt(at, "%q is not a direction; valid values: TB, TD, BT, LR, RL", direction)
	}
	p.blanks()
	if !p.ended() {
		return p.errorAt(p.pos, "a statement follows the direction: begin a new line, or write `;`")
	}
	return nil
}

// directionOf gives the name of a direction that mermaid knows.
func directionOf(s string) (string, bool) {
	switch s {
	case "", "TB", "TD", "v":
		return "TB", true
	case "BT", "^":
		return "BT", true
	case "LR", ">":
		return "LR", true
	case "RL", "<":
		return "RL", true
	}
	return "", false
}

// keyword returns the word at the current place if it begins a flowchart.
func (p *parser) keyword() string {
	for _, word := range []string{"flowchart-elk", "flowchart", "graph"} {
		rest, ok := strings.CutPrefix(p.src[p.pos:], word)
		if ok && (rest == "" || strings.ContainsRune(" \t\r\n;", rune(rest[0]))) {
			return word
		}
	}
	return ""
}
