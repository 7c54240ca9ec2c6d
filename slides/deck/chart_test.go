package deck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestChart(t *testing.T) {
	for _, test := range []struct {
		attrs   string
		want    Chart
		problem string
	}{
		{attrs: `chart="apps" slo="5s"`, want: Chart{"flux-system/apps", 5 * time.Second}},
		{attrs: `walk="sharding" chart="team-a/app.v2"`, want: Chart{Kustomization: "team-a/app.v2"}},
		{attrs: `chart="../apps"`, problem: "is not the name of a Kustomization"},
		{attrs: `chart="a/b/c"`, problem: "is not the name of a Kustomization"},
		{attrs: `chart="apps" slo="soon"`, problem: `"soon" is not a valid SLO`},
		{attrs: `chart="apps" slo="2h"`, problem: `"2h" is not a valid SLO`},
		{attrs: `slo="5s"`, problem: `slo requires chart="..."`},
	} {
		t.Run(test.attrs, func(t *testing.T) {
			d := Parse("talk.md", []byte("# Talk\n\n# S\n{: "+test.attrs+"}\n\na\n"))
			s := d.Slide("s")
			if s.Chart != test.want {
				t.Errorf("%+v, want %+v", s.Chart, test.want)
			}
			html := s.HTML(HTMLOptions{})
			if has := strings.Contains(html, `data-chart="`+test.want.Kustomization+`"`); has != (test.want.Kustomization != "") {
				t.Errorf("on the slide: %s", html)
			}
			switch {
			case test.problem == "" && len(d.Problems) > 0, test.problem != "" && len(d.Problems) != 1:
				t.Errorf("problems: %v", d.Problems)
			case test.problem != "" && (!strings.Contains(d.Problems[0].String(), test.problem) || !strings.HasPrefix(d.Problems[0].String(), "talk.md:4:")):
				t.Errorf("%v, want %q in line 4", d.Problems[0], test.problem)
			}
		})
	}
}

func TestChartOfASidecar(t *testing.T) {
	file := filepath.Join(t.TempDir(), "talk.md")
	for name, text := range map[string]string{file: "# Talk\n\n# S\n\na\n\n# T\n\nb\n", SidecarFile(file): "slides:\n  s: {chart: apps, slo: 5s}\n  t: {walk: ga, chart: apps}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Load(file)
	if err != nil || len(d.Problems) > 0 {
		t.Fatal(err, d.Problems)
	}
	if s := d.Slide("s"); s.Chart != (Chart{"flux-system/apps", 5 * time.Second}) || s.Walk.Walk != "" {
		t.Errorf("%+v", s)
	}
	if s := d.Slide("t"); s.Chart.Kustomization != "flux-system/apps" || s.Walk.Walk != "ga" {
		t.Errorf("%+v", s)
	}
	for text, where := range map[string]string{"{chart: A B}": ":2:14: error: ", "{walk: ga, slo: 5s}": ":2:22: error: slo requires chart"} {
		if err := os.WriteFile(SidecarFile(file), []byte("slides:\n  s: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := Load(file); err != nil || len(d.Problems) != 1 || !strings.HasPrefix(d.Problems[0].String(), SidecarFile(file)+where) {
			t.Errorf("%s: %v %v", text, err, d.Problems)
		}
	}
}
