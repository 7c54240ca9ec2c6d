package stage

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
	"github.com/fluxdemo/fluxdemo/slides/web/wiretest"
)

var updateWire = flag.Bool("update-wire", false, "write slides/web/src/wire.ts anew")

// Bodies whose types have no names in Go. TestUnnamedBodies holds them against the server.
type (
	wireDeck struct {
		Version int64     `json:"version"`
		Deck    deckModel `json:"deck"`
	}
	wireCharts struct {
		Charts []string `json:"charts"`
	}
	wireStep struct {
		Command string `json:"command"`
		Wait    bool   `json:"wait"`
	}
	wireVersion struct {
		Version int64 `json:"version"`
	}
)

// TestWire holds the web app's types against those that are sent and read here: wire.ts is written from them, and a
// field that has another name, or is not there any more, breaks the web app's type check.
func TestWire(t *testing.T) {
	w := wiretest.New("PositionRequest", "StepRequest")
	w.Add("Deck", reflect.TypeFor[deckModel]())
	w.Add("Meta", reflect.TypeFor[metaModel]())
	w.Add("Slide", reflect.TypeFor[slideModel]())
	w.Add("Note", reflect.TypeFor[noteModel]())
	w.Add("Diagram", reflect.TypeFor[diagrams.Diagram]())
	w.Add("Binding", reflect.TypeFor[binding.Binding]())
	w.Add("EdgeBinding", reflect.TypeFor[binding.Edge]())
	w.Add("StepOffer", reflect.TypeFor[stepModel]())
	w.Add("Problem", reflect.TypeFor[problemModel]())
	w.Add("VersionedDeck", reflect.TypeFor[wireDeck]())
	w.Add("Version", reflect.TypeFor[wireVersion]())
	w.AddUnion(t, "Phase", reflect.TypeFor[Phase](), ".")
	w.Add("Step", reflect.TypeFor[Step]())
	w.Add("Position", reflect.TypeFor[positionModel]())
	w.AddUnion(t, "Status", reflect.TypeFor[live.Status](), "../../demo/diagram/live")
	w.Add("State", reflect.TypeFor[diagrams.State]())
	w.Add("Pulse", reflect.TypeFor[diagrams.Pulse]())
	w.Add("TerminalText", reflect.TypeFor[terminalModel]())
	w.Add("Hello", reflect.TypeFor[helloModel]())
	w.Add("Detail", reflect.TypeFor[live.Detail]())
	w.Add("TargetState", reflect.TypeFor[live.State]())
	w.Add("Condition", reflect.TypeFor[live.Condition]())
	w.Add("ClusterEvent", reflect.TypeFor[live.ObjectEvent]())
	w.Add("Charts", reflect.TypeFor[wireCharts]())
	w.Add("PositionRequest", reflect.TypeFor[positionRequest]())
	w.Add("StepRequest", reflect.TypeFor[wireStep]())
	w.Hold(t, "../web/src/wire.ts", "slides/stage", *updateWire)
}

// TestUnnamedBodies holds the types above against what the server sends and reads.
func TestUnnamedBodies(t *testing.T) {
	srv := show(t, write(t, talkText), func(o *Options) {
		o.Charts = func(string, time.Duration) ([]string, error) { return []string{}, nil }
	})
	chart := show(t, write(t, chartTalk), func(o *Options) { o.Charts = srv.o.Charts })
	for url, v := range map[string]any{srv.url + "api/deck": &wireDeck{}, chart.url + "api/charts?of=flux-system/apps": &wireCharts{}} {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(response.Body)
		var fields map[string]json.RawMessage
		err = d.Decode(&fields)
		response.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		var want []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v).Elem()) {
			want = append(want, f.Tag.Get("json"))
		}
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s has %v, want %v", url, names, want)
		}
	}
	body, err := json.Marshal(wireStep{Command: "none"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.url+"api/step", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+srv.Token())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(response.Body)
	if !strings.Contains(answer.String(), "command must be again") { // and not that a field is unknown
		t.Errorf("api/step does not take %s: %s", body, &answer)
	}
}
