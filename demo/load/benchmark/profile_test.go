package benchmark

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/fluxdemo/fluxdemo/demo/load"
)

// TestReadProfile reads a profile of two samples, one of them of a function
// that calls itself.
func TestReadProfile(t *testing.T) {
	const build, json, sort = "github.com/fluxcd/pkg/kustomize.Build", "encoding/json.Unmarshal", "k8s.io/kube-openapi/pkg/spec.(*Schema).sort"
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"},
	}
	location := map[string]*profile.Location{}
	for _, name := range []string{build, json, sort, collector} {
		function := &profile.Function{ID: uint64(len(location) + 1), Name: name}
		location[name] = &profile.Location{ID: function.ID, Line: []profile.Line{{Function: function}}}
		p.Function, p.Location = append(p.Function, function), append(p.Location, location[name])
	}
	for _, sample := range []struct {
		stack []string // the leaf comes first
		time  time.Duration
	}{
		{[]string{json, build}, time.Second},
		{[]string{sort, sort, build}, 2 * time.Second},
		{[]string{collector}, time.Second},
	} {
		s := &profile.Sample{Value: []int64{1, sample.time.Nanoseconds()}}
		for _, name := range sample.stack {
			s.Location = append(s.Location, location[name])
		}
		p.Sample = append(p.Sample, s)
	}
	var raw bytes.Buffer
	if err := p.Write(&raw); err != nil {
		t.Fatal(err)
	}
	var got Profile
	if err := got.read(raw.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := []Function{{build, 0.75}, {sort, 0.5}, {collector, 0.25}}
	if got.CPU != 4 || len(got.Functions) != len(want) {
		t.Fatalf("%+v, want 4 s and %v", got, want)
	}
	for i := range want {
		if got.Functions[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got.Functions[i], want[i])
		}
	}

	if err := got.read([]byte("404 page not found")); err == nil {
		t.Error("a page is read as a profile")
	}
	p.SampleType[1].Type = "delay"
	raw.Reset()
	if err := p.Write(&raw); err != nil {
		t.Fatal(err)
	}
	if err := got.read(raw.Bytes()); err == nil {
		t.Error("a profile of something else is read")
	}
}

// TestProfileName: no trial's profile takes the place of another one's.
func TestProfileName(t *testing.T) {
	seen := map[string]load.Plan{}
	for _, plan := range []load.Plan{
		{Quiet: 300}, {Quiet: 270, Heavy: 30}, {Quiet: 300, Shards: []string{"bench1"}}, {Quiet: 300, OwnSources: true},
		{Quiet: 300, Impersonate: true}, {Quiet: 300, OwnSources: true, Impersonate: true},
	} {
		name := profileName(plan, "kube-apiserver")
		if other, ok := seen[name]; ok {
			t.Errorf("%s is of %+v and of %+v", name, other, plan)
		}
		seen[name] = plan
	}
}
