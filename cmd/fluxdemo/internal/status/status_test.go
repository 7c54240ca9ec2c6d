package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

func TestComponentName(t *testing.T) {
	for name, want := range map[string]string{
		"source-controller-749b678b7f-6q5mx": "source-controller",
		"git-d75946cfc-7mvvg":                "git",
		"kube-proxy-4gfdr":                   "kube-proxy",
		"my-database-0":                      "my-database-0",
		"alone":                              "alone",
	} {
		if got := componentName(clusters.Component{Namespace: "demo", Name: name}, false); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := componentName(clusters.Component{Name: "etcd"}, false); got != "etcd" {
		t.Errorf("etcd: %q", got)
	}
}

func TestWidth(t *testing.T) {
	const version = "v0.0.0-20261128011807-0d36794ff819+dirty"
	s := health.Status{Cluster: clusters.Status{Running: true, Components: []clusters.Component{
		{Name: "kube-controller-manager", Version: version, State: "Running", Restarts: 12, PID: 4194304, Started: time.Now().Add(-25 * time.Minute), Memory: 1 << 30},
	}}}
	for format, whole := range map[string]bool{"": false, "wide": true} {
		var out bytes.Buffer
		if err := Print(&out, s, format, called.Program{}); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if !whole && len([]rune(line)) > 80 {
				t.Errorf("wider than a terminal: %s", line)
			}
		}
		if strings.Contains(out.String(), version) != whole {
			t.Errorf("-o %q: the version should be whole: %v\n%s", format, whole, &out)
		}
	}
}

// sick is a demo without its inbox, with an app that was scaled to zero, and with a build that fails.
func sick() health.Status {
	return health.Status{
		Cluster: clusters.Status{Name: "second", Provider: "embedded", Running: true, Components: []clusters.Component{
			{Name: "etcd", State: "Running"}, {Name: "git-d75946cfc-7mvvg", Namespace: "fluxdemo", State: "Running"},
			{Name: "inbox", Namespace: "fluxdemo", State: health.Missing, Message: "the Deployment does not exist"},
			{Name: "app", Namespace: "app", State: health.ScaledToZero, Message: "the Deployment is scaled to zero"},
		}},
		Objects: []health.Object{
			{Kind: "Kustomization", Namespace: "flux-system", Name: "apps", Ready: "False", Message: strings.Repeat("a path, ", 100) + "the reason", Brief: "the reason"},
			{Kind: "Receiver", Namespace: "flux-system", Name: "flux-system", Ready: health.Missing, Message: "it does not exist; `fluxdemo up` creates it"},
		},
		URLs: demo.URLs{Git: "http://127.0.0.1:30010/fleet.git"},
	}
}

func TestPrint(t *testing.T) {
	program := called.Program{Word: "bin/fluxdemo", Flag: " --name second"}
	var out bytes.Buffer
	if err := Print(&out, sick(), "", program); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"inbox", "Missing", "ScaledToZero", "\nkustomization/apps is not ready:\n  the reason\n", "`bin/fluxdemo up --name second` creates it",
		"\nfluxdemo/inbox does not run:\n  the Deployment does not exist\n", "\nApp    not running\nGit    http://127.0.0.1:30010/fleet.git\nInbox  not running\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len([]rune(strings.TrimSuffix(line, "\n"))) > width {
			t.Errorf("too wide: %s", line)
		}
	}
	out.Reset()
	if err := Print(&out, sick(), "wide", program); err != nil || strings.Count(out.String(), "a path,") != 100 {
		t.Errorf("wide: %v\n%s", err, out.String())
	}
	for _, format := range []string{"json", "yaml"} {
		out.Reset()
		if err := Print(&out, sick(), format, program); err != nil {
			t.Fatal(err)
		}
		raw, err := yaml.YAMLToJSON(out.Bytes()) // JSON is YAML
		if err != nil {
			t.Fatal(err)
		}
		var s health.Status
		if err := json.Unmarshal(raw, &s); err != nil || len(s.Cluster.Components) != 4 || len(s.Objects) != 2 || s.URLs != sick().URLs || s.Objects[0] != sick().Objects[0] {
			t.Errorf("%s: %v\n%s", format, err, out.String())
		}
	}
	out.Reset()
	if err := Print(&out, health.Status{Cluster: clusters.Status{Name: "second", Provider: "kind"}}, "", program); err != nil ||
		out.String() != "second (kind) is stopped; `bin/fluxdemo up --name second` starts it.\n" {
		t.Errorf("stopped: %v\n%s", err, out.String())
	}
}

// TestHostile prints what objects say to the output of a command.
func TestHostile(t *testing.T) {
	const evil = "evil\x1b[2J\x1b]0;x\a\x1b[?1049h\u202e\u009b1A message"
	s := sick()
	s.Objects = []health.Object{{Kind: "Kustomization", Namespace: "flux-system", Name: "apps", Ready: "False", Message: evil, Brief: evil, Revision: evil}}
	for _, format := range append(Formats(), "") {
		var below bytes.Buffer
		out := output.New(&below)
		if err := Print(out, s, format, called.Program{}); err != nil {
			t.Fatal(err)
		}
		if got := below.String(); strings.ContainsAny(got, "\x1b\a\u202e\u009b") || !strings.Contains(got, "evil") {
			t.Errorf("%q: %q", format, got)
		}
		if format != "json" && format != "yaml" {
			if !strings.Contains(below.String(), "evil message") {
				t.Errorf("%q lacks the message: %s", format, below.String())
			}
			continue
		}
		var back health.Status
		if err := yaml.Unmarshal(below.Bytes(), &back); err != nil || back.Objects[0].Message != evil {
			t.Errorf("%s: %v, %v", format, back.Objects, err)
		}
	}
}

func TestList(t *testing.T) {
	well := sick()
	well.Cluster.Components, well.Objects = well.Cluster.Components[:2], []health.Object{{Ready: "True"}}
	well.URLs.App = "http://127.0.0.1:30012"
	demos := []Demo{row(well, nil), row(sick(), nil), row(health.Status{}, nil), row(health.Status{}, errors.New("no answer"))}
	for i, name := range []string{"first", "second", "third", "fourth"} {
		demos[i].Name = name
	}
	demos[1].Current = true
	for format, want := range map[string]string{
		"": `CURRENT  NAME    PROVIDER  STATE      URL
         first   embedded  Running    http://127.0.0.1:30012
*        second  embedded  Unhealthy  -
         third   -         Stopped    -
         fourth  -         Unknown    -
`,
		"name": "first\nsecond\nthird\nfourth\n",
	} {
		var out bytes.Buffer
		if err := PrintList(&out, demos, format); err != nil || out.String() != want {
			t.Errorf("%q: %v, got\n%s\nwant\n%s", format, err, out.String(), want)
		}
	}
	for format, want := range map[string]string{"": "", "name": "", "json": "[]\n", "yaml": "[]\n"} {
		var out bytes.Buffer
		if err := PrintList(&out, nil, format); err != nil || out.String() != want {
			t.Errorf("no demo, %q: %v, got %q, want %q", format, err, out.String(), want)
		}
	}
}

// TestSilent prints what does not answer, and since when, and compares it
// without what changes by itself.
func TestSilent(t *testing.T) {
	now := time.Now()
	s := sick()
	s.Problem = "The control plane does not answer."
	s.Cluster.Components[0] = clusters.Component{Name: "etcd", State: health.Silent, Silent: now, Started: now.Add(-time.Hour), Memory: 5 << 20, Message: "no answer within 2s"}
	s.Cluster.Components[1] = clusters.Component{Name: "git-d75946cfc-7mvvg", Namespace: "fluxdemo", State: health.Silent, Message: "no answer to its probe"}
	var out bytes.Buffer
	if err := Print(&out, s, "", called.Program{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\netcd does not answer since " + now.Format("15:04:05") + ":\n  no answer within 2s\n",
		"\ngit does not answer:\n  no answer to its probe\n", "\nThe control plane does not answer.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	later := s
	later.Cluster.Components = append([]clusters.Component{}, s.Cluster.Components...)
	later.Cluster.Components[0].Memory = 9 << 20
	if !reflect.DeepEqual(Steady(s), Steady(later)) || s.Cluster.Components[0].Memory != 5<<20 {
		t.Error("memory counts as a change, or is lost")
	}
	later.Cluster.Components[0].State = "Running"
	if reflect.DeepEqual(Steady(s), Steady(later)) {
		t.Error("another state is no change")
	}
}
