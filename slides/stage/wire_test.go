package stage

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
)

var updateWire = flag.Bool("update-wire", false, "write slides/web/src/wire.ts anew")

const wireFile = "../web/src/wire.ts"

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
		Do   string `json:"do"`
		Wait bool   `json:"wait"`
	}
	wireVersion struct {
		Version int64 `json:"version"`
	}
)

// TestWire holds the web app's types against those that are sent and read here: wire.ts is written from them, and a
// field that has another name, or is not there any more, breaks the web app's type check.
func TestWire(t *testing.T) {
	w := wire{
		names: map[reflect.Type]string{}, requests: map[string]bool{"MoveRequest": true, "StepRequest": true},
		unions: map[reflect.Type][]string{
			reflect.TypeFor[live.Status](): constants(t, "../../demo/diagram/live", "Status"),
			reflect.TypeFor[Phase]():       constants(t, ".", "Phase"),
		},
	}
	w.add("Deck", reflect.TypeFor[deckModel]())
	w.add("Meta", reflect.TypeFor[metaModel]())
	w.add("Slide", reflect.TypeFor[slideModel]())
	w.add("Note", reflect.TypeFor[noteModel]())
	w.add("Diagram", reflect.TypeFor[diagramModel]())
	w.add("Binding", reflect.TypeFor[binding.Binding]())
	w.add("EdgeBinding", reflect.TypeFor[binding.Edge]())
	w.add("StepOffer", reflect.TypeFor[stepModel]())
	w.add("Problem", reflect.TypeFor[problemModel]())
	w.add("VersionedDeck", reflect.TypeFor[wireDeck]())
	w.add("Version", reflect.TypeFor[wireVersion]())
	w.add("Phase", reflect.TypeFor[Phase]())
	w.add("Step", reflect.TypeFor[Step]())
	w.add("Place", reflect.TypeFor[placeModel]())
	w.add("Status", reflect.TypeFor[live.Status]())
	w.add("State", reflect.TypeFor[stateModel]())
	w.add("Pulse", reflect.TypeFor[pulseModel]())
	w.add("TerminalText", reflect.TypeFor[terminalModel]())
	w.add("Hello", reflect.TypeFor[helloModel]())
	w.add("Detail", reflect.TypeFor[live.Detail]())
	w.add("TargetState", reflect.TypeFor[live.State]())
	w.add("Condition", reflect.TypeFor[live.Condition]())
	w.add("ClusterEvent", reflect.TypeFor[live.ObjectEvent]())
	w.add("Charts", reflect.TypeFor[wireCharts]())
	w.add("MoveRequest", reflect.TypeFor[moveModel]())
	w.add("StepRequest", reflect.TypeFor[wireStep]())
	want := w.text(t)
	if *updateWire {
		if err := os.WriteFile(wireFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(wireFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not have the types that the stage sends; run `make wire`, then make the web app follow", wireFile)
	}
}

// TestUnnamedBodies holds the types above against what the server sends and reads.
func TestUnnamedBodies(t *testing.T) {
	h := show(t, write(t, talkText), func(o *Options) {
		o.Charts = func(string, time.Duration) ([]string, error) { return []string{}, nil }
	})
	chart := show(t, write(t, chartTalk), func(o *Options) { o.Charts = h.o.Charts })
	for url, v := range map[string]any{h.url + "api/deck": &wireDeck{}, chart.url + "api/charts?of=flux-system/apps": &wireCharts{}} {
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
	body, err := json.Marshal(wireStep{Do: "none"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"api/step", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.Token())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(response.Body)
	if !strings.Contains(answer.String(), "say what to do") { // and not that a field is unknown
		t.Errorf("api/step does not take %s: %s", body, &answer)
	}
}

// wire writes Go's types as TypeScript.
type wire struct {
	names    map[reflect.Type]string
	order    []reflect.Type
	requests map[string]bool // of these all fields may be left out
	unions   map[reflect.Type][]string
}

func (w *wire) add(name string, t reflect.Type) {
	w.names[t] = name
	w.order = append(w.order, t)
}

func (w *wire) text(t *testing.T) []byte {
	var b bytes.Buffer
	b.WriteString("// Written by `make wire` from the types that slides/stage sends and takes. Change those.\n")
	for _, each := range w.order {
		name := w.names[each]
		if values, ok := w.unions[each]; ok {
			fmt.Fprintf(&b, "\nexport type %s = %s;\n", name, strings.Join(values, " | "))
			continue
		}
		fmt.Fprintf(&b, "\nexport interface %s {\n", name)
		w.fields(t, &b, each, w.requests[name])
		b.WriteString("}\n")
	}
	return b.Bytes()
}

func (w *wire) fields(t *testing.T, b *bytes.Buffer, of reflect.Type, optional bool) {
	for i := range of.NumField() {
		f := of.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			w.fields(t, b, f.Type, optional)
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		if name == "" {
			t.Errorf("%s.%s has no name in JSON", of, f.Name)
		}
		omitted := strings.Contains(rest, "omitempty") || strings.Contains(rest, "omitzero")
		mark, kind := "", w.typ(t, f.Type)
		if f.Type.Kind() == reflect.Pointer && !omitted {
			kind += " | null"
		}
		if omitted || optional {
			mark = "?"
		}
		fmt.Fprintf(b, "  %s%s: %s;\n", name, mark, kind)
	}
}

// typ is the TypeScript type of the JSON of a Go type.
func (w *wire) typ(t *testing.T, of reflect.Type) string {
	if name, ok := w.names[of]; ok {
		return name
	}
	switch of.Kind() {
	case reflect.Pointer:
		return w.typ(t, of.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return "number"
	case reflect.Slice:
		return w.typ(t, of.Elem()) + "[]"
	case reflect.Map:
		return "Record<string, " + w.typ(t, of.Elem()) + ">"
	}
	if of == reflect.TypeFor[time.Time]() {
		return "string"
	}
	t.Errorf("%s has no name in TypeScript: add it in TestWire", of)
	return "unknown"
}

// constants returns the values, quoted, of the constants of a type in a package's folder, in the order of the source.
func constants(t *testing.T, dir, typ string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typ {
				for _, v := range spec.Values {
					if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						values = append(values, lit.Value)
					}
				}
			}
			return true
		})
	}
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", dir, typ)
	}
	return values
}
