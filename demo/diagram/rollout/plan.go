// Package rollout runs a plain flowchart: each node becomes a Kustomization, each arrow a dependsOn, and Flux applies
// them in that order. It creates and removes them through the demo's Git repository.
package rollout

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

// Plan is what becomes of a chart.
type Plan struct {
	// Name identifies it: its files in the repository have this name, and its Kustomizations begin with it.
	Name string
	// File is the name of the diagram's file without its folder, with its number behind # if there are several in it.
	File string
	// Nodes stand in an order in which each comes after those that it depends on.
	Nodes []Node

	account string // service account whose rights apply them; empty: Flux's own
}

// Node is a node of the chart.
type Node struct {
	// ID and Label are what the chart says.
	ID    string `json:"node"`
	Label string `json:"label"`
	// Kustomization is the name of what it becomes.
	Kustomization string `json:"kustomization"`
	// After are the IDs of those that it waits for.
	After []string `json:"after,omitempty"`
}

// Target is what the node is in the cluster.
func (n Node) Target() binding.Target {
	return binding.ObjectTarget("Kustomization", demo.FluxNamespace, n.Kustomization)
}

// longestName is what a label of Kubernetes takes: Flux puts the name of a Kustomization into one.
const longestName = 63

// NewPlan plans what becomes of a chart. What an arrow points to waits for where it comes from; a line without a head
// is no reason to wait, and an arrow at a box is one at each node in it. An error, with its place in the chart, is a
// *flowchart.SyntaxError: arrows in a circle, which it names, or nodes that are in the cluster anyway.
func NewPlan(name string, c *flowchart.Chart) (*Plan, error) {
	if len(c.Nodes) == 0 {
		return nil, &flowchart.SyntaxError{Line: 1, Col: 1, Msg: "the diagram has no nodes, so there is nothing to run"}
	}
	if err := plain(c); err != nil {
		return nil, err
	}
	w := newWeb(c)
	order, err := w.order()
	if err != nil {
		return nil, err
	}
	p := &Plan{Name: name}
	taken := map[string]bool{}
	for _, n := range order {
		p.Nodes = append(p.Nodes, Node{ID: n.ID, Label: n.Label, Kustomization: unique(name, n.ID, taken), After: w.after(n.ID)})
	}
	return p, nil
}

// plain refuses a chart that is about Flux itself.
func plain(c *flowchart.Chart) error {
	b, err := binding.Bind(c, nil, binding.DemoDefaults())
	if err != nil {
		return err
	}
	for _, n := range c.Nodes {
		t := b.Nodes[n.ID]
		if _, _, _, object := t.Object(); object || t == binding.Flux || t == binding.Kubernetes || t == binding.Git {
			return &flowchart.SyntaxError{Line: n.Line, Col: n.Col, Msg: fmt.Sprintf(
				"the node %s (%s) stands for something that the cluster already has; to show this diagram live, use `fluxdemo present`", n.ID, n.Label)}
		}
	}
	return nil
}

// between stands between the name of a plan and that of a node. Slug never makes it, so that no two plans and nodes
// join to the same name.
const between = "--"

// unique makes the name of a node's Kustomization.
func unique(name, id string, taken map[string]bool) string {
	base := name + between + Slug(id)
	if len(base) > longestName {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(base)))[:8]
		base = strings.Trim(base[:longestName-len(sum)-1], "-") + "-" + sum
	}
	full := base
	for i := 2; taken[full]; i++ {
		end := fmt.Sprintf("-%d", i)
		full = base[:min(len(base), longestName-len(end))] + end
	}
	taken[full] = true
	return full
}

// Slug makes a name in Kubernetes of a text.
func Slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "x"
}

// bindings are the targets of the chart's nodes, by their IDs, for binding.Bind.
func (p *Plan) bindings() map[string]string {
	all := map[string]string{}
	for _, n := range p.Nodes {
		all[n.ID] = string(n.Target())
	}
	return all
}
