package export

import (
	"bytes"
	"image"
	_ "image/png" // for image.Decode
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/decks"
)

func basics(t *testing.T) *deck.Deck {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	text, err := fs.ReadFile(decks.Files, "basics.md")
	if err != nil {
		t.Fatal(err)
	}
	return deck.Parse("basics.md", text)
}

func TestPDF(t *testing.T) {
	d := basics(t)
	file := filepath.Join(t.TempDir(), "deck.pdf")
	if err := PDF(t.Context(), d, Options{}, file); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(raw, []byte("%PDF-")) {
		t.Fatalf("it begins with %q", raw[:16])
	}
	if pages := len(regexp.MustCompile(`/Type\s*/Page\b[^s]`).FindAll(raw, -1)); pages != len(d.Slides) {
		t.Errorf("%d pages for %d slides", pages, len(d.Slides))
	}
}

func TestPNG(t *testing.T) {
	d := basics(t)
	done := 0
	pictures := map[string][]byte{}
	for _, theme := range []string{"light", "dark"} {
		files, err := PNG(t.Context(), d, Options{Theme: theme, Done: func(int, int) { done++ }}, filepath.Join(t.TempDir(), theme))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != len(d.Slides) {
			t.Fatalf("%d pictures of %d slides", len(files), len(d.Slides))
		}
		for i, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			picture, _, err := image.Decode(bytes.NewReader(raw))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if size := picture.Bounds().Size(); size != image.Pt(1920, 1080) {
				t.Errorf("%s: %v", file, size)
			}
			for other, content := range pictures {
				if bytes.Equal(content, raw) {
					t.Errorf("%s slide %d looks as %s", theme, i+1, other)
				}
			}
			pictures[theme+" "+filepath.Base(file)] = raw
		}
	}
	if done != 2*len(d.Slides) {
		t.Errorf("Done was called %d times", done)
	}
}

func TestNothingHalfWritten(t *testing.T) {
	d := basics(t)
	file := filepath.Join(t.TempDir(), "none", "deck.pdf")
	if err := PDF(t.Context(), d, Options{}, file); err == nil {
		t.Error("it was written into a folder that is not there")
	}
	t.Setenv("PATH", "")
	t.Setenv("CHROMIUM", "")
	if err := PDF(t.Context(), d, Options{}, filepath.Join(t.TempDir(), "deck.pdf")); err == nil {
		t.Error("it was printed without a browser")
	}
}
