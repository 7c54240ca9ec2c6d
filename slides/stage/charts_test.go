package stage

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/load/chart"
	"github.com/fluxdemo/fluxdemo/slides/browser/browsertest"
)

const chartTalk = "# Talk\n\n# Before\n\na\n\n# Charted\n{: chart=\"apps\" slo=\"5s\"}\n\nb\n\n# After\n\nc\n"

// TestCharts: a chart is drawn on its slide, again and again, and on no other.
func TestCharts(t *testing.T) {
	var asked atomic.Int64
	draw := func(of string, slo time.Duration) ([]string, error) {
		n := asked.Add(1)
		if of != "flux-system/apps" || slo != 5*time.Second {
			return nil, fmt.Errorf("asked for %s, %s", of, slo)
		}
		points := []chart.Point{{At: 0, Value: 1}, {At: float64(n), Value: 30}}
		c := chart.Chart{Title: fmt.Sprintf("Drawn %d times", n), Series: []chart.Series{{Name: "apps", Points: points}}}
		return []string{c.SVG(480, 230), c.SVG(480, 230)}, nil
	}
	srv := show(t, write(t, chartTalk), func(o *Options) { o.Charts = draw })
	p := newTab(t)
	p.hurry() // a chart is drawn once a second
	if err := srv.GoTo("before", -1); err != nil {
		t.Fatal(err)
	}
	p.Open(srv.url)
	p.Await(`document.querySelector(".present .page")?.dataset.slide === "before"`)
	if n := asked.Load(); n != 0 {
		t.Errorf("charts were asked for %d times where there is none", n)
	}
	if err := srv.GoTo("charted", -1); err != nil {
		t.Fatal(err)
	}
	p.Await(`document.querySelectorAll(".present figure.chart svg polyline").length === 2`)
	p.Await(`document.querySelector(".present figure.chart svg").textContent.includes("Drawn 3 times")`) // the time goes on
	for _, inside := range []string{"right", "bottom"} {
		if got := browsertest.Get[float64](p.Tab, `document.querySelector(".present figure.chart svg:last-child").getBoundingClientRect().`+inside); got > browsertest.Get[float64](p.Tab, `document.querySelector(".present .page").getBoundingClientRect().`+inside)+1 {
			t.Errorf("the chart leaves its slide at the %s: %v", inside, got)
		}
	}
	if err := srv.GoTo("after", -1); err != nil {
		t.Fatal(err)
	}
	p.Await(`document.querySelector(".present .page")?.dataset.slide === "after"`)
}

// TestNoOtherCharts: only what a slide names is asked for.
func TestNoOtherCharts(t *testing.T) {
	fails := errors.New("the cluster is away")
	srv := show(t, write(t, chartTalk), func(o *Options) {
		o.Charts = func(string, time.Duration) ([]string, error) { return nil, fails }
	})
	none := show(t, write(t, chartTalk))
	for _, test := range []struct {
		url, says string
		code      int
	}{
		{srv.url + "api/charts?of=flux-system/apps", fails.Error(), http.StatusBadGateway},
		{srv.url + "api/charts?of=flux-system/other", `no slide has a chart of "flux-system/other"`, http.StatusNotFound},
		{srv.url + "api/charts", `no slide has a chart of ""`, http.StatusNotFound},
		{none.url + "api/charts?of=flux-system/apps", "no cluster is running", http.StatusNotFound},
	} {
		response, err := http.Get(test.url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != test.code || !strings.Contains(string(body), test.says) {
			t.Errorf("%s: %d %s %v", test.url, response.StatusCode, body, err)
		}
	}
}
