package main

import (
	"math"
	"testing"
)

func TestEngineShare(t *testing.T) {
	const report = `{"time":"2026-01-01T00:00:00Z","event":"walk-start","walk":"w"}
{"time":"2026-01-01T00:00:00Z","event":"step-start","walk":"w"}
{"time":"2026-01-01T00:00:05Z","event":"command","walk":"w","seconds":5}
{"time":"2026-01-01T00:00:05Z","event":"step-start","walk":"w","step":1}
{"time":"2026-01-01T00:00:07Z","event":"command","walk":"w","step":1,"seconds":1.5}
{"time":"2026-01-01T00:00:08Z","event":"check","walk":"w","step":1,"seconds":1.47}
{"time":"2026-01-01T00:00:08Z","event":"step-end","walk":"w","step":1,"seconds":3}
{"time":"2026-01-01T00:00:08Z","event":"step-start","walk":"w","step":2}
{"time":"2026-01-01T00:00:09Z","event":"check","walk":"w","step":2,"seconds":1}
{"time":"2026-01-01T00:00:09Z","event":"walk-end","walk":"w","seconds":9}
`
	got, err := engineShare([]byte(report))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || math.Abs(got[0]-30) > 0.01 {
		t.Errorf("the engine's share is %v ms, want 30 for the first step and nothing else", got)
	}
	if _, err := engineShare([]byte("{")); err == nil {
		t.Error("a report that breaks off is no report")
	}
}
