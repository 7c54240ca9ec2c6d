package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

// web is who waits for whom.
type web struct {
	chart *flowchart.Chart
	waits map[string][]wait // by the ID of who waits
}

// wait is an arrow, as seen from where it points to.
type wait struct {
	on   string
	edge flowchart.Edge
}

func newWeb(c *flowchart.Chart) *web {
	w := &web{chart: c, waits: map[string][]wait{}}
	for _, e := range c.Edges {
		for _, from := range w.nodes(e.From) {
			for _, to := range w.nodes(e.To) {
				if e.Head != "" {
					w.waits[to] = append(w.waits[to], wait{from, e})
				}
				if e.Tail != "" {
					w.waits[from] = append(w.waits[from], wait{to, e})
				}
			}
		}
	}
	return w
}

// nodes returns the node of that ID, or those in the box of that ID and in the boxes within.
func (w *web) nodes(id string) []string {
	inside := map[string]bool{id: true}
	box := false
	var all []string
	for _, s := range w.chart.Subgraphs { // each stands behind the one around it
		if s.ID == id {
			box = true
		} else if !inside[s.Parent] || s.Parent == "" {
			continue
		}
		inside[s.ID] = true
		all = append(all, s.Nodes...)
	}
	if box {
		return all
	}
	return []string{id}
}

// after lists those that a node waits for, once each, in the order of the arrows.
func (w *web) after(id string) []string {
	var all []string
	for _, each := range w.waits[id] {
		if !slices.Contains(all, each.on) {
			all = append(all, each.on)
		}
	}
	return all
}

// order sorts the nodes so that each comes after those that it waits for, and else as the chart names them.
func (w *web) order() ([]flowchart.Node, error) {
	var order []flowchart.Node
	done := map[string]bool{}
	for len(order) < len(w.chart.Nodes) {
		n := len(order)
		for _, node := range w.chart.Nodes {
			if !done[node.ID] && !slices.ContainsFunc(w.waits[node.ID], func(x wait) bool { return !done[x.on] }) {
				order = append(order, node)
			}
		}
		if len(order) == n {
			return nil, w.cycle(done)
		}
		// Those of one layer are marked at once: it is a layer that lights up together.
		for _, node := range order[n:] {
			done[node.ID] = true
		}
	}
	return order, nil
}

// cycle names one of the circles among those that are not done. Each of these waits for another one.
func (w *web) cycle(done map[string]bool) error {
	var at string
	for _, node := range w.chart.Nodes {
		if !done[node.ID] {
			at = node.ID
			break
		}
	}
	var path []string
	var edges []flowchart.Edge
	for !slices.Contains(path, at) {
		path = append(path, at)
		i := slices.IndexFunc(w.waits[at], func(x wait) bool { return !done[x.on] })
		next := w.waits[at][i]
		edges = append(edges, next.edge)
		at = next.on
	}
	start := slices.Index(path, at)
	path, edges = path[start:], edges[start:]
	// Against the waiting is along the arrows. It begins with the node that the chart names first.
	slices.Reverse(path)
	first := 0
	for i, id := range path {
		if w.place(id) < w.place(path[first]) {
			first = i
		}
	}
	path = append(slices.Clone(path[first:]), path[:first]...)
	path = append(path, path[0])
	last := edges[0] // the arrow of the circle that the text has last
	for _, e := range edges {
		if e.Line > last.Line || e.Line == last.Line && e.Col > last.Col {
			last = e
		}
	}
	return &flowchart.SyntaxError{Line: last.Line, Col: last.Col, Msg: fmt.Sprintf(
		"the arrows form a cycle, so its nodes wait for each other forever: %s", strings.Join(path, " → "))}
}

func (w *web) place(id string) int {
	return slices.IndexFunc(w.chart.Nodes, func(n flowchart.Node) bool { return n.ID == id })
}
