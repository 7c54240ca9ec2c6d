package walk

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.abhg.dev/goldmark/frontmatter"
	"gopkg.in/yaml.v3"
)

// walkName is what a walk may be called: it is typed on a command line.
var walkName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// yamlLine finds the line in a message of the YAML library, which has no typed errors for syntax.
var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): `)

// frontClosed reports whether the file starts with front matter that ends. The Markdown parser would take the whole
// rest of the file for front matter that does not, so this is asked first.
func frontClosed(s *source) bool {
	if strings.TrimRight(s.line(1), " ") != "---" {
		s.errorf(1, 1, "a walk starts with front matter: a line ---, then title, needs, duration or slides, then a line ---")
		return false
	}
	for n := 2; n <= len(s.lines); n++ {
		if s.line(n) == "---" {
			return true
		}
	}
	s.errorf(1, 1, "the front matter is not closed: end it with a line ---")
	return false
}

// parseFront reads the facts of the front matter into w, and reports what is unknown, doubled or of the wrong kind.
func parseFront(s *source, data *frontmatter.Data, w *Walk) {
	if data == nil {
		return
	}
	var doc yaml.Node
	if err := data.Decode(&doc); err != nil {
		line, msg := 1, err.Error()
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			line, _ = strconv.Atoi(m[1])
			msg = msg[len(m[0]):]
		}
		s.errorf(line+1, 1, "front matter: %s", strings.TrimPrefix(msg, "yaml: "))
		return
	}
	if doc.Kind == 0 { // nothing between the lines
		return
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		s.errorf(top.Line+1, top.Column, "front matter must be a list of key: value lines")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		bad := func(n *yaml.Node, format string, args ...any) {
			// The first line of the file is the opening ---, which the YAML library has not seen.
			s.errorf(n.Line+1, n.Column, format, args...)
		}
		if seen[key.Value] {
			bad(key, "%s is set twice", key.Value)
			continue
		}
		seen[key.Value] = true
		switch key.Value {
		case "title":
			if value.Kind != yaml.ScalarNode || value.Value == "" {
				bad(value, "title must be a text")
				continue
			}
			w.Title = value.Value
		case "duration":
			d, err := time.ParseDuration(value.Value)
			if err != nil || d <= 0 {
				bad(value, "duration %q is not a time such as 5m or 90s", value.Value)
				continue
			}
			w.Duration = d
		case "needs":
			w.Needs = texts(value, bad)
			for i, n := range w.Needs {
				w.needsAt = append(w.needsAt, [2]int{value.Content[i].Line + 1, value.Content[i].Column})
				if !walkName.MatchString(n) {
					bad(value.Content[i], "%q is not a valid name for a walk: use lower case letters, digits, and dashes", n)
				}
			}
		case "slides":
			w.Slides = texts(value, bad)
		case "cluster":
			if value.Value != "own" {
				bad(value, "cluster %q: the only valid value is own, for a walk that requires a cluster of its own", value.Value)
				continue
			}
			w.OwnCluster = true
		case "clone":
			if !walkName.MatchString(value.Value) {
				bad(value, "clone %q is not a valid name for a folder: use lower case letters, digits, and dashes", value.Value)
				continue
			}
			w.Clone = value.Value
		default:
			bad(key, "unknown key %q; valid keys: title, needs, duration, slides, cluster, clone", key.Value)
		}
	}
}

// texts reads a list of texts, and reports anything else.
func texts(value *yaml.Node, bad func(*yaml.Node, string, ...any)) []string {
	if value.Kind != yaml.SequenceNode {
		bad(value, "this must be a list, such as [one, two]")
		return nil
	}
	out := []string{}
	for _, v := range value.Content {
		if v.Kind != yaml.ScalarNode || v.Value == "" {
			bad(v, "this must be a text")
		}
		out = append(out, v.Value)
	}
	return out
}
