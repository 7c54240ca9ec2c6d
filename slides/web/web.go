// Package web embeds the web app: TypeScript, built by Vite into dist/app. slides/stage serves the page that presents
// decks, and slides/learn the page for learners.
package web

import (
	"embed"
	"errors"
	"io/fs"
)

// dist holds what `make web` builds, and a file that is always there, so that the package compiles without it.
//
//go:embed all:dist
var dist embed.FS

// ErrNotBuilt says that this program was built without the web app.
var ErrNotBuilt = errors.New("this program does not contain the web app: run `make web`, then build again")

// Files returns the built app: index.html, learn.html, and everything else under app/. It fails with ErrNotBuilt.
func Files() (fs.FS, error) {
	files, err := fs.Sub(dist, "dist/app")
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(files, "index.html"); err != nil {
		return nil, ErrNotBuilt
	}
	return files, nil
}
