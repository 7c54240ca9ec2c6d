// Package wiretest writes the types that a server sends and takes as TypeScript. A test holds the web app's file against
// them, so that a change on one side breaks the other's.
package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Types are Go types with their names in TypeScript.
type Types struct {
	names    map[reflect.Type]string
	order    []reflect.Type
	requests map[string]bool // of these all fields may be left out
	unions   map[reflect.Type][]string
	imports  []string
	from     string // the file of the imports
}

// New returns no types yet. requests are names of those that browsers send: all their fields are optional.
func New(requests ...string) *Types {
	w := &Types{names: map[reflect.Type]string{}, requests: map[string]bool{}, unions: map[reflect.Type][]string{}}
	for _, name := range requests {
		w.requests[name] = true
	}
	return w
}

// Add adds a struct.
func (w *Types) Add(name string, of reflect.Type) {
	w.names[of] = name
	w.order = append(w.order, of)
}

// AddUnion adds a type of strings, whose constants are in the package in folder dir.
func (w *Types) AddUnion(t *testing.T, name string, of reflect.Type, dir string) {
	t.Helper()
	w.Add(name, of)
	w.unions[of] = constants(t, dir, of.Name())
}

// Import takes a type from another file, as an import names it.
func (w *Types) Import(from, name string, of reflect.Type) {
	w.names[of] = name
	w.imports, w.from = append(w.imports, name), from
}

// Hold fails the test if the file does not have the types of the package from. With update it writes the file.
func (w *Types) Hold(t *testing.T, file, from string, update bool) {
	t.Helper()
	want := w.text(t, from)
	if update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not have the types that %s sends; run `make wire`, then make the web app follow", file, from)
	}
}

func (w *Types) text(t *testing.T, from string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Written by `make wire` from the types that %s sends and takes. Change those.\n", from)
	if len(w.imports) > 0 {
		fmt.Fprintf(&b, "import type { %s } from %q;\n", strings.Join(w.imports, ", "), w.from)
	}
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

func (w *Types) fields(t *testing.T, b *bytes.Buffer, of reflect.Type, optional bool) {
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
func (w *Types) typ(t *testing.T, of reflect.Type) string {
	if name, ok := w.names[of]; ok {
		return name
	}
	if of == reflect.TypeFor[json.RawMessage]() {
		return "unknown"
	}
	switch of.Kind() {
	case reflect.Pointer:
		return w.typ(t, of.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint64, reflect.Float64:
		return "number"
	case reflect.Slice:
		return w.typ(t, of.Elem()) + "[]"
	case reflect.Map:
		return "Record<string, " + w.typ(t, of.Elem()) + ">"
	}
	if of == reflect.TypeFor[time.Time]() {
		return "string"
	}
	t.Errorf("%s has no name in TypeScript: add it in the test", of)
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
