package deck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// SidecarFile returns the name of the file that adds walks and targets to a deck without changing it: talk.walks.yaml for
// talk.md.
func SidecarFile(deck string) string {
	return strings.TrimSuffix(deck, filepath.Ext(deck)) + ".walks.yaml"
}

// readSidecar adds what the sidecar says, if there is one.
func (d *Deck) readSidecar() error {
	file := SidecarFile(d.File)
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the deck's sidecar: %w", err)
	}
	s := &sidecar{deck: d, file: file}
	s.read(raw)
	return nil
}

// sidecar reads a sidecar file into its deck.
type sidecar struct {
	deck *Deck
	file string
}

func (s *sidecar) errorf(n *yaml.Node, format string, args ...any) {
	s.deck.Problems = append(s.deck.Problems, Problem{s.file, max(n.Line, 1), max(n.Column, 1), Error, fmt.Sprintf(format, args...)})
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

func (s *sidecar) read(raw []byte) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		at := &yaml.Node{Line: 1}
		msg := err.Error()
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
			msg = msg[len(m[0]):]
		}
		s.errorf(at, "%s", strings.TrimPrefix(msg, "yaml: "))
		return
	}
	if doc.Kind == 0 {
		return
	}
	s.each(doc.Content[0], func(key, value *yaml.Node) {
		switch key.Value {
		case "slides":
			s.each(value, s.slide)
		case "diagrams":
			s.each(value, s.diagram)
		default:
			s.errorf(key, "unknown key %q; valid keys: slides, diagrams", key.Value)
		}
	})
}

// each calls f for every key of a mapping, and reports anything that is no mapping.
func (s *sidecar) each(n *yaml.Node, f func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		s.errorf(n, "this must be a list of key: value lines")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		f(n.Content[i], n.Content[i+1])
	}
}

func (s *sidecar) slide(key, value *yaml.Node) {
	slide := s.deck.Slide(key.Value)
	if slide == nil {
		s.errorf(key, "there is no slide %q; see fluxdemo deck lint -o json", key.Value)
		return
	}
	var ref WalkRef
	ref.at = position{s.file, value.Line, value.Column}
	coming := false
	var chart, slo *yaml.Node
	s.each(value, func(key, value *yaml.Node) {
		switch key.Value {
		case "walk":
			ref.Walk, ref.Step, _ = strings.Cut(value.Value, "#")
			ref.at = position{s.file, value.Line, value.Column}
		case "wait":
			n, err := strconv.Atoi(value.Value)
			if err != nil || n < 0 || n > slide.Waits {
				s.errorf(value, "wait must be a number of pauses; the slide has %d", slide.Waits)
				return
			}
			ref.Wait = n
		case "coming":
			coming = value.Value == "true"
		case "chart":
			chart = value
		case "slo":
			slo = value
		default:
			s.errorf(key, "unknown key %q; valid keys: walk, wait, coming, chart, slo", key.Value)
		}
	})
	if chart == nil && slo != nil {
		s.errorf(slo, "slo requires chart: name with the name of a Kustomization")
	}
	if chart != nil {
		limit, err := "", error(nil)
		if slo != nil {
			limit = slo.Value
		}
		if slide.Chart, err = newChart(chart.Value, limit); err != nil {
			s.errorf(chart, "%v", err)
		}
		if ref.Walk == "" {
			return // it has nothing but a chart
		}
	}
	switch {
	case !walkName.MatchString(ref.Walk):
		s.errorf(value, "%q is not the name of a walk: write walk: name or walk: name#step", ref.Walk)
	case coming:
		slide.Coming, slide.Walk = ref, WalkRef{}
	default:
		slide.Walk, slide.Coming = ref, WalkRef{}
	}
}

func (s *sidecar) diagram(key, value *yaml.Node) {
	d := s.deck.Diagram(key.Value)
	if d == nil {
		s.errorf(key, "there is no diagram %q; use the slide's ID and a number, such as gitops-1", key.Value)
		return
	}
	s.each(value, func(key, value *yaml.Node) {
		if key.Value != "bind" {
			s.errorf(key, "unknown key %q; valid key: bind", key.Value)
			return
		}
		s.each(value, func(node, target *yaml.Node) {
			if target.Kind != yaml.ScalarNode || target.Value == "" {
				s.errorf(target, "a target must be a text such as user or Kustomization/flux-system/apps")
				return
			}
			merge(&d.Bind, map[string]string{node.Value: target.Value})
		})
	})
}
