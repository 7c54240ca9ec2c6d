package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const passes = `{"Action":"run","Package":"p","Test":"TestQuick"}
{"Action":"output","Package":"p","Test":"TestQuick","Output":"=== RUN   TestQuick\n"}
{"Action":"output","Package":"p","Test":"TestQuick","Output":"    quick_test.go:1: said while it passed\n"}
{"Action":"output","Package":"p","Test":"TestQuick","Output":"--- PASS: TestQuick (0.10s)\n"}
{"Action":"pass","Package":"p","Test":"TestQuick","Elapsed":0.1}
{"Action":"pass","Package":"p","Test":"TestSlow/part","Elapsed":9}
{"Action":"pass","Package":"p","Test":"TestSlow","Elapsed":9.5}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t9.7s\n"}
{"Action":"pass","Package":"p","Elapsed":9.7}
`
	const fails = `{"Action":"output","Package":"q","Test":"TestBad/part","Output":"    bad_test.go:7: it is wrong\n"}
{"Action":"output","Package":"q","Test":"TestBad/part","Output":"    --- FAIL: TestBad/part (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestBad/part","Elapsed":0}
{"Action":"output","Package":"q","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"q","Output":"FAIL\tq\t0.1s\n"}
{"Action":"fail","Package":"q","Elapsed":0.1}
`
	const panics = `{"Action":"output","Package":"r","Test":"TestPanic","Output":"panic: no way on\n"}
{"Action":"output","Package":"r","Output":"FAIL\tr\t0.1s\n"}
{"Action":"fail","Package":"r","Elapsed":0.1}
`
	const broken = `{"ImportPath":"s","Action":"build-output","Output":"s.go:3:1: undefined: x\n"}
{"ImportPath":"s","Action":"build-fail"}
{"Action":"output","Package":"s","Output":"FAIL\ts [build failed]\n"}
{"Action":"fail","Package":"s","Elapsed":0}
`
	for name, c := range map[string]struct {
		in      string
		verbose bool
		has     []string
		lacks   []string
		ends    string
	}{
		"passes": {in: passes, has: []string{"    9.50s  TestSlow  p\n    0.10s  TestQuick  p\n"},
			lacks: []string{"said while it passed", "=== RUN", "PASS", "TestSlow/part"}, ends: "ok  \tp\t9.7s\n"},
		"verbose": {in: passes, verbose: true, has: []string{"said while it passed", "=== RUN", "--- PASS: TestQuick"}, ends: "ok  \tp\t9.7s\n"},
		"fails":   {in: passes + fails, has: []string{"ok  \tp\t9.7s\n", "it is wrong", "--- FAIL: TestBad/part", "--- FAIL: TestBad ("}, ends: "FAIL\tq\t0.1s\nFAIL\n"},
		"panics":  {in: panics, has: []string{"panic: no way on"}, ends: "FAIL\tr\t0.1s\nFAIL\n"},
		"broken":  {in: broken, has: []string{"undefined: x"}, ends: "FAIL\ts [build failed]\nFAIL\n"},
		"no JSON": {in: "go: cannot find main module\n", has: []string{"cannot find main module"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out, c.verbose)
			if err := r.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			r.end()
			for _, want := range c.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it lacks %q:\n%s", want, out.String())
				}
			}
			for _, not := range c.lacks {
				if strings.Contains(out.String(), not) {
					t.Errorf("it has %q:\n%s", not, out.String())
				}
			}
			if !strings.HasSuffix(out.String(), c.ends) {
				t.Errorf("it does not end with %q:\n%s", c.ends, out.String())
			}
		})
	}
}
