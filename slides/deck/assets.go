package deck

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// asset is an image that the deck names.
type asset struct {
	path      string // below the deck's folder, with slashes
	line, col int
}

var (
	errRemote  = errors.New("images from the network do not show: put the file beside the deck")
	errOutside = errors.New("images outside the deck's folder do not show")
)

// assetPath returns the path of an image below the deck's folder, with slashes. Names with a scheme, a host, a root
// or a path out of the folder are refused, and so are hidden files.
func assetPath(dest string) (string, error) {
	u, err := url.Parse(dest)
	if err != nil {
		return "", fmt.Errorf("%q is not a valid file name", dest)
	}
	switch {
	case u.Scheme == "http" || u.Scheme == "https" || u.Host != "":
		return "", errRemote
	case u.Scheme != "":
		return "", fmt.Errorf("images with %s: do not show: put the file beside the deck", u.Scheme)
	case u.Path == "":
		return "", errors.New("the image has no name")
	}
	for _, part := range strings.Split(u.Path, "/") {
		if part == ".." || strings.ContainsAny(part, "\\:\x00") {
			return "", errOutside
		}
		if strings.HasPrefix(part, ".") && part != "." {
			return "", errors.New("hidden files do not show")
		}
	}
	clean := path.Clean(u.Path)
	if !filepath.IsLocal(filepath.FromSlash(clean)) || clean == "." {
		return "", errOutside
	}
	return clean, nil
}

// image keeps the name of an image, or reports why it is not shown.
func (c *converter) image(dest string, at int) {
	name, err := assetPath(dest)
	if err != nil {
		severity := Error
		if errors.Is(err, errRemote) {
			severity = Warning
		}
		c.add(severity, c.base+at, "%v", err)
		return
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".eps", ".dia", ".xcf", ".pdf", ".ps", ".tif", ".tiff", ".xpm", ".pnm":
		c.warnf(c.base+at, "browsers cannot show %s: convert it to SVG or PNG", path.Ext(name))
	}
	a := asset{path: name}
	a.line, a.col = c.position(c.base + at)
	c.deck.assets = append(c.deck.assets, a)
}

// htmlImages keeps the names of the images in raw HTML.
func (c *converter) htmlImages(text string, at int) {
	if !strings.Contains(strings.ToLower(text), "<img") {
		return
	}
	z := html.NewTokenizer(strings.NewReader(text))
	for z.Next() != html.ErrorToken {
		token := z.Token()
		if token.Data != "img" {
			continue
		}
		for _, a := range token.Attr {
			if a.Key == "src" {
				c.image(a.Val, at)
			}
		}
	}
}

// Assets returns the images that the deck names: paths below its folder, with slashes, each once, in order. Only
// these may be served. An SVG among them may hold scripts, which run when it is opened by itself and not in a slide.
func (d *Deck) Assets() []string {
	var paths []string
	for _, a := range d.assets {
		paths = append(paths, a.path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// OpenAsset opens one of Assets. A link that leads out of the deck's folder is not followed.
func (d *Deck) OpenAsset(name string) (*os.File, error) {
	if !slices.ContainsFunc(d.assets, func(a asset) bool { return a.path == name }) {
		return nil, fmt.Errorf("the deck does not name the image %q: %w", name, os.ErrNotExist)
	}
	root, err := os.OpenRoot(filepath.Dir(d.File))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(filepath.FromSlash(name))
}

// findAssets reports the images that are not there.
func (d *Deck) findAssets() {
	for _, a := range d.assets {
		f, err := d.OpenAsset(a.path)
		if err == nil {
			var info os.FileInfo
			if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
				err = errors.New("not a file")
			}
			f.Close()
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrNotExist):
			d.Problems = append(d.Problems, Problem{d.File, a.line, a.col, Error, fmt.Sprintf("the image %s does not exist", a.path)})
		default:
			d.Problems = append(d.Problems, Problem{d.File, a.line, a.col, Error, fmt.Sprintf("cannot read the image %s: %v", a.path, err)})
		}
	}
}
