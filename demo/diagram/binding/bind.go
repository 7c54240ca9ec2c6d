package binding

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

// Binding ties a chart to the cluster.
type Binding struct {
	// Nodes has the target of each node that is bound, by its ID.
	Nodes map[string]Target `json:"nodes"`
	// Subgraphs has the same of the boxes.
	Subgraphs map[string]Target `json:"subgraphs,omitempty"`
	// Edges are those along which something can travel.
	Edges []Edge `json:"edges"`
}

// Edge says what an edge carries.
type Edge struct {
	// Index is the edge's index in the chart, from 0.
	Index int `json:"index"`
	// From and To are the ends as they are drawn.
	From Target `json:"from"`
	To   Target `json:"to"`
	// Carries are the values of Pulse.What that travel it.
	Carries []string `json:"carries"`
	// Reverse says that they travel from To to From: "pull" is often drawn so.
	Reverse bool `json:"reverse,omitempty"`
}

// Bind ties a chart's nodes to what is in the cluster, by what their labels say, the boxes that they stand in, and the
// deck's own words: explicit gives a node's ID a target (see ParseTarget) or "none". Nodes that name nothing known stay
// unbound. d names the object that a bare kind stands for. An explicit target that makes no sense, or that is for a
// node which is not there, is an error that names it.
func Bind(c *flowchart.Chart, explicit map[string]string, d Defaults) (Binding, error) {
	b := Binding{Nodes: map[string]Target{}, Subgraphs: map[string]Target{}, Edges: []Edge{}}
	boxes := map[string]flowchart.Subgraph{}
	for _, s := range c.Subgraphs {
		boxes[s.ID] = s
		if t := guess(s.Title, false, d); t == Flux || t == Kubernetes {
			b.Subgraphs[s.ID] = t
		}
	}
	there := map[string]bool{}
	for _, n := range c.Nodes {
		there[n.ID] = true
		if t := guess(n.Label, within(n.Subgraph, boxes, b.Subgraphs), d); t != "" {
			b.Nodes[n.ID] = t
		}
	}
	for _, id := range slices.Sorted(maps.Keys(explicit)) {
		into := b.Nodes
		if _, box := boxes[id]; box {
			into = b.Subgraphs
		} else if !there[id] {
			return Binding{}, fmt.Errorf("the diagram has no node %q to bind to %q", id, explicit[id])
		}
		if explicit[id] == None {
			delete(into, id)
			continue
		}
		t, err := ParseTarget(explicit[id], d)
		if err != nil {
			return Binding{}, fmt.Errorf("node %q: %w", id, err)
		}
		into[id] = t
	}
	b.bindEdges(c)
	return b, nil
}

// within reports whether a box, or one around it, is Flux or a cluster. Boxes that contain themselves do not exist.
func within(box string, boxes map[string]flowchart.Subgraph, targets map[string]Target) bool {
	for range len(boxes) {
		if box == "" {
			return false
		}
		if targets[box] != "" {
			return true
		}
		box = boxes[box].Parent
	}
	return false
}

func (b *Binding) bindEdges(c *flowchart.Chart) {
	target := func(id string) Target {
		if t := b.Nodes[id]; t != "" {
			return t
		}
		return b.Subgraphs[id]
	}
	for i, e := range c.Edges {
		from, to := target(e.From), target(e.To)
		if from == "" || to == "" {
			continue
		}
		edge := Edge{Index: i, From: from, To: to, Carries: carries(from, to)}
		if edge.Carries == nil {
			edge.Carries, edge.Reverse = carries(to, from), true
		}
		if edge.Carries != nil {
			b.Edges = append(b.Edges, edge)
		}
	}
}

// carries lists what can travel from one target to another.
func carries(from, to Target) []string {
	var what []string
	for _, each := range []struct {
		what string
		can  bool
	}{
		{Push, from == User && to == Git},
		{Webhook, (from == Git || from == Hook) && (IsKind(to, "Receiver") || to == Flux) || from == Git && to == Hook},
		{Trigger, (from == User || IsKind(from, "Receiver")) && (to.Role() == Source || to.Role() == Applier) || from == User && to == Flux},
		{Fetch, (from == Git || from == Registry) && (to.Role() == Source || to == Flux)},
		{Artifact, from.Role() == Source && to.Role() == Applier},
		{Depend, IsKind(from, "Kustomization") && IsKind(to, "Kustomization")},
		{Apply, applies(from) && workload(to)},
		{Drift, applies(from) && from != Git && workload(to)},
		{Change, from == User && workload(to)},
		{Notify, (from.OfFlux() || from == Flux || from == Kubernetes) && (to.Role() != Alert || !IsKind(from, "Provider")) &&
			(to == Inbox || to == User || to.Role() == Alert)},
	} {
		if each.can {
			what = append(what, each.what)
		}
	}
	return what
}

// IsKind reports whether a target is an object of the kind, for example GitRepository.
func IsKind(t Target, kind string) bool { return strings.HasPrefix(string(t), kind+"/") }

// applies reports whether manifests come from a target. A diagram without Flux has them come from Git.
func applies(t Target) bool { return t.Role() == Applier || t == Flux || t == Git }

// workload reports whether a target is where manifests go.
func workload(t Target) bool { return t == Kubernetes || t == App || t.IsDeployment() }

// Travels reports whether a pulse travels the edge; if so, from To to From when Reverse is set.
func (e Edge) Travels(p Pulse) bool {
	from, to := e.From, e.To
	if e.Reverse {
		from, to = to, from
	}
	return slices.Contains(e.Carries, p.What) && leaves(from, p) && arrives(to, p)
}

// leaves reports whether a pulse comes from where an edge begins.
func leaves(t Target, p Pulse) bool {
	switch {
	case t == p.From:
		return true
	case t == Flux:
		return p.From.OfFlux()
	case t == Git: // the webhook is the Git host's, and without Flux in the picture so is what is applied
		return p.From == Hook || p.What == Apply
	case t == Kubernetes:
		return p.What == Notify
	case t.Role() == Alert:
		return p.What == Notify
	}
	return false
}

// arrives reports whether a pulse goes to where an edge ends.
func arrives(t Target, p Pulse) bool {
	switch {
	case t == p.To:
		return true
	case t == Flux:
		return p.To.OfFlux()
	case t == App, t.IsDeployment(): // one correction is of one object, a revision of all
		return p.To == Kubernetes && (p.What == Apply || p.Object == string(t) || t == App && p.Object == AppObject)
	case t == User, t.Role() == Alert:
		return p.What == Notify
	}
	return false
}

// AppObject is the Deployment that the role App stands for.
const AppObject = "Deployment/app/app"
