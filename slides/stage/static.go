package stage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/web"
)

// Static writes a deck as pages that need no server: open index.html in dir. The diagrams are not live. Static creates
// the folder if necessary, replaces files of the same name, and omits images that do not exist. It fails with
// web.ErrNotBuilt, or if it cannot write a file.
func Static(d *deck.Deck, dir string) error {
	app, err := web.Files()
	if err != nil {
		return err
	}
	t, err := newTalk(d, binder{})
	if err != nil {
		return err
	}
	script := append([]byte("window.fluxdemoDeck = "), t.model...)
	files := map[string][]byte{"deck.css": []byte(deck.CSS()), "deck.js": append(script, ";\n"...)}
	err = fs.WalkDir(app, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "learn.") { // another page's
			return err
		}
		files[name], err = fs.ReadFile(app, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the web app: %w", err)
	}
	const mainScript = `<script src="app/main.js"`
	files["index.html"] = bytes.Replace(files["index.html"], []byte(mainScript), []byte(`<script src="deck.js"></script>`+"\n"+mainScript), 1)
	for _, name := range d.Assets() {
		f, err := d.OpenAsset(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("copying the deck's images: %w", err)
		}
		content, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("copying the deck's images: %w", err)
		}
		files["assets/"+name] = content
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing the deck's pages: %w", err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("writing the deck's pages: %w", err)
		}
	}
	return nil
}
