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
	const waits = `{"Time":"2026-01-02T03:04:05Z","Action":"output","Package":"p","Test":"TestQueued/part","Output":"    queue_test.go:1: its turn has come\n"}
{"Time":"2026-01-02T03:05:05Z","Action":"pass","Package":"p","Test":"TestQueued/part","Elapsed":99}
{"Time":"2026-01-02T03:05:05Z","Action":"pass","Package":"p","Test":"TestQueued","Elapsed":0.2}
{"Action":"output","Package":"p","Output":"ok  \tp\t99.7s\n"}
{"Action":"pass","Package":"p","Elapsed":99.7}
`
	const fails = `{"Action":"output","Package":"q","Test":"TestBad/part","Output":"    bad_test.go:7: it is wrong\n"}
{"Action":"output","Package":"q","Test":"TestBad/part","Output":"    --- FAIL: TestBad/part (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestBad/part","Elapsed":0}
{"Action":"output","Package":"q","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"q","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"q","Output":"FAIL\tq\t0.1s\n"}
{"Action":"fail","Package":"q","Elapsed":0.1}
`
	const explains = `{"Action":"output","Package":"q","Test":"TestBad","Output":"    queue_test.go:1: its turn has come\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"    bad_test.go:7: fluxdemo up\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"        line 1\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"        line 2\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"        line 3\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"        line 4\n"}
{"Action":"output","Package":"q","Test":"TestBad","Output":"        fluxdemo: it is broken\n"}
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
		"verbose":  {in: passes, verbose: true, has: []string{"said while it passed", "=== RUN", "--- PASS: TestQuick"}, ends: "ok  \tp\t9.7s\n"},
		"waits":    {in: waits, has: []string{"   60.00s  TestQueued/part  p\n    0.20s  TestQueued  p\n"}, ends: "ok  \tp\t99.7s\n"},
		"fails":    {in: passes + fails, has: []string{"ok  \tp\t9.7s\n", "it is wrong", "--- FAIL: TestBad/part", "--- FAIL: TestBad ("}, ends: "    bad_test.go:7: it is wrong\nFAIL\tq\t0.1s\nFAIL\n"},
		"explains": {in: explains, ends: "TestBad failed:\n    bad_test.go:7: fluxdemo up\n        line 2\n        line 3\n        line 4\n        fluxdemo: it is broken\nFAIL\tq\t0.1s\nFAIL\n"},
		"panics":   {in: panics, has: []string{"panic: no way on"}, ends: "panic: no way on\nFAIL\tr\t0.1s\nFAIL\n"},
		"broken":   {in: broken, has: []string{"undefined: x"}, ends: "FAIL\ts [build failed]\nFAIL\n"},
		"no JSON":  {in: "go: cannot find main module\n", has: []string{"cannot find main module"}},
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
