package deck

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// sampleDeck loads one of the real decks that stand beside the repository. CI has to have them.
func sampleDeck(t *testing.T, name string) *Deck {
	t.Helper()
	// Beside the repository, or beside the folder of its worktrees.
	for _, beside := range []string{"../../..", "../../../.."} {
		file := filepath.Join(beside, "shared", "decks", name)
		if _, err := os.Stat(file); err == nil {
			d, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("shared/decks/%s has to stand beside the checkout", name)
	}
	t.Skipf("put the sample decks into shared/decks beside the repository to test with %s", name)
	return nil
}

func TestBasicsDeck(t *testing.T) {
	d := sampleDeck(t, "basics.md")
	if len(d.Problems) > 0 {
		t.Errorf("problems: %v", d.Problems)
	}
	if d.Title == "" || d.Meta.Subtitle == "" || d.Meta.Author == "" || d.Meta.AllottedTime.Minutes() != 2 {
		t.Errorf("title %q, meta %+v", d.Title, d.Meta)
	}
	type facts struct {
		id              string
		waits, diagrams int
	}
	var got []facts
	for _, s := range d.Slides {
		got = append(got, facts{s.ID, s.Waits, len(s.Diagrams)})
	}
	want := []facts{
		{"cncf-on-demand-webinar", 0, 0}, {"flux-in-2-minutes", 0, 0}, {"gitops", 2, 0}, {"gitops-2", 1, 0},
		{"4-principles-of-gitops", 3, 0}, {"diagram", 0, 1}, {"how-flux-does-gitops", 0, 1}, {"what-is-flux-gitops-ga", 1, 1},
		{"flux-is-in-active-development", 0, 0}, {"if-you-re-new-to-flux", 2, 0}, {"join-us", 2, 0},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("slides\n%v, want\n%v", got, want)
	}
	if g := d.Diagram("what-is-flux-gitops-ga-1"); g == nil || g.Attrs["relative_height"] != "90" || !strings.HasPrefix(g.Source, "flowchart LR\n") || g.Line != 101 {
		t.Errorf("diagram %+v", g)
	}
}

func TestPitchDeck(t *testing.T) {
	d := sampleDeck(t, "pitch.md")
	var got []string
	for _, p := range d.Problems {
		got = append(got, strings.TrimPrefix(p.String(), d.File))
	}
	want := []string{
		":19:1: warning: allotted-time is 5m, but start-time to end-time is 1h30m",
		`:49:51: warning: "âœ…" was decoded with the wrong charset; it shows as "✅"`,
		`:106:5: warning: "âœ…âœ…âœ…" was decoded with the wrong charset; it shows as "✅✅✅"`,
		`:119:11: warning: "ðŸ«µðŸ™‹" was decoded with the wrong charset; it shows as "🫵🙋"`,
		":130:1: error: the image images/fluxqr.jpeg does not exist",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(d.Slides) != 16 {
		t.Errorf("%d slides", len(d.Slides))
	}
	html := d.Slides[len(d.Slides)-1].HTML(HTMLOptions{Assets: "/a/"})
	if !strings.Contains(html, `<img src="/a/images/fluxqr.jpeg" alt="bit.ly/gitopscon2023" width="250" height="250"/>`) {
		t.Errorf("the image with its size is not in %s", html)
	}
}
