package steps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recorder writes down what is reported.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (r *recorder) add(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *recorder) Start(name string) func(error) {
	r.add("+" + name)
	return func(err error) {
		if err != nil {
			name += "!"
		}
		r.add("-" + name)
	}
}

func nothing(context.Context) error { return nil }

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		table []Step
		want  string
	}{
		"empty": {nil, ""},
		"row": {[]Step{
			{Name: "c", Needs: []string{"b"}, Do: nothing},
			{Name: "b", Needs: []string{"a"}, Do: nothing},
			{Name: "a", Do: nothing},
		}, "+a -a +b -b +c -c"},
		"need twice": {[]Step{{Name: "a", Do: nothing}, {Name: "b", Needs: []string{"a", "a"}, Do: nothing}}, "+a -a +b -b"},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			if err := Run(t.Context(), &r, c.table...); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.events, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestParallel: two steps that do not need each other wait for each other here, so they must run at the same time.
func TestParallel(t *testing.T) {
	left, right := make(chan struct{}), make(chan struct{})
	var r recorder
	err := Run(t.Context(), &r,
		Step{Name: "end", Needs: []string{"left", "right"}, Do: nothing},
		Step{Name: "left", Do: func(context.Context) error { close(left); <-right; return nil }},
		Step{Name: "right", Do: func(context.Context) error { close(right); <-left; return nil }},
	)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.events); n != 6 || !slices.Equal(r.events[4:], []string{"+end", "-end"}) {
		t.Errorf("got %v", r.events)
	}
}

func TestFirstErrorEndsTheRest(t *testing.T) {
	broken := errors.New("broken")
	running := make(chan struct{})
	var r recorder
	err := Run(t.Context(), &r,
		Step{Name: "slow", Do: func(ctx context.Context) error {
			close(running)
			<-ctx.Done()
			return ctx.Err()
		}},
		Step{Name: "bad", Do: func(context.Context) error { <-running; return broken }},
		Step{Name: "never", Needs: []string{"bad"}, Do: nothing},
		Step{Name: "neither", Needs: []string{"slow"}, Do: nothing},
	)
	if !errors.Is(err, broken) || err.Error() != "bad: broken" {
		t.Errorf("got %v", err)
	}
	slices.Sort(r.events)
	if want := []string{"+bad", "+slow", "-bad!", "-slow!"}; !slices.Equal(r.events, want) {
		t.Errorf("got %v, want %v", r.events, want)
	}
}

func TestNoReport(t *testing.T) {
	ran := false
	err := Run(t.Context(), nil, Step{Name: "a", Do: func(context.Context) error { ran = true; return nil }})
	if err != nil || !ran {
		t.Errorf("ran %v, got %v", ran, err)
	}
}

// TestCause: a step that has not begun when the caller's time is up says why.
func TestCause(t *testing.T) {
	late := errors.New("not done in time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(late)
	var r recorder
	if err := Run(ctx, &r, Step{Name: "a", Do: nothing}); !errors.Is(err, late) || len(r.events) > 0 {
		t.Errorf("got %v, %v", err, r.events)
	}
}

// TestReasonOfRunning ends the caller's context: the step that runs says what it was waiting for, and the context why it ended.
func TestReasonOfRunning(t *testing.T) {
	late, waiting := errors.New("not done in time"), errors.New("the API server does not answer")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := Run(ctx, nil,
		Step{Name: "a", Do: func(ctx context.Context) error { cancel(late); <-ctx.Done(); return waiting }},
		Step{Name: "b", Needs: []string{"a"}, Do: nothing},
	)
	if !errors.Is(err, waiting) || !errors.Is(err, late) || err.Error() != "a: the API server does not answer (not done in time)" {
		t.Errorf("got %v", err)
	}
}

func TestHidden(t *testing.T) {
	broken := errors.New("broken")
	var r recorder
	err := Run(t.Context(), &r,
		Step{Name: "a", Hidden: true, Do: nothing},
		Step{Name: "b", Needs: []string{"a"}, Do: nothing},
		Step{Name: "c", Needs: []string{"b"}, Hidden: true, Do: func(context.Context) error { return broken }},
	)
	if got := strings.Join(r.events, " "); got != "+b -b" || !errors.Is(err, broken) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestUnnamed(t *testing.T) {
	broken := errors.New("broken")
	fails := func(context.Context) error { return broken }
	inner := func(ctx context.Context) error { return Run(ctx, nil, Step{Name: "inner", Do: fails}) }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a step":    {RunUnnamed(t.Context(), nil, Step{Name: "a", Do: fails}), "broken"},
		"a table":   {RunUnnamed(t.Context(), nil, Step{Name: "a", Do: inner}), "inner: broken"},
		"no step":   {RunUnnamed(t.Context(), nil, Step{Name: "a", Needs: []string{"b"}, Do: nothing}), `the step "a" needs "b", which does not exist`},
		"one":       {One(t.Context(), nil, "a", fails), "broken"},
		"one is ok": {One(t.Context(), nil, "a", nothing), ""},
	} {
		got := ""
		if c.err != nil {
			got = c.err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestSequence(t *testing.T) {
	table := []Step{{Name: "a", Do: nothing}, {Name: "b", Do: nothing}, {Name: "c", Needs: []string{"a"}, Do: nothing}}
	var r recorder
	if err := Run(t.Context(), &r, Sequence(table...)...); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(r.events, " "), "+a -a +b -b +c -c"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if table[1].Needs != nil || len(table[2].Needs) != 1 {
		t.Errorf("the table that was given is changed: %v", table)
	}
}

func TestBadTables(t *testing.T) {
	for want, table := range map[string][]Step{
		`two steps are named "a"`:                        {{Name: "a", Do: nothing}, {Name: "a", Do: nothing}},
		`the step "a" needs "b", which does not`:         {{Name: "a", Needs: []string{"b"}, Do: nothing}},
		`the steps need each other in a cycle: "a"`:      {{Name: "a", Needs: []string{"a"}, Do: nothing}},
		`the steps need each other in a cycle: "b", "c"`: {{Name: "a", Do: nothing}, {Name: "b", Needs: []string{"c", "a"}, Do: nothing}, {Name: "c", Needs: []string{"b"}, Do: nothing}},
	} {
		var r recorder
		if err := Run(t.Context(), &r, table...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if len(r.events) > 0 {
			t.Errorf("%s: ran %v", want, r.events)
		}
	}
}
