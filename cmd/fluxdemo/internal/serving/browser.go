package serving

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// openTime is how long the desktop may take to open a page.
const openTime = 20 * time.Second

// errNoDesktop says that there is no browser to open.
var errNoDesktop = errors.New("no desktop")

// page leads a browser to an address. Arguments of a process are for all users of a machine to see, so an address with a
// token is in a file that only its owner can read.
const page = `<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url={{.}}">
<title>fluxdemo</title>
<p><a href="{{.}}">Open the page</a></p>
`

// Open opens an address in the user's browser, by a file in dir that leads there. It returns when the desktop has taken
// the request, with a function that removes the file. Without a desktop it does nothing.
func Open(ctx context.Context, address, dir string) (remove func(), err error) {
	program, err := opener()
	if errors.Is(err, errNoDesktop) {
		return func() {}, nil
	}
	var text strings.Builder
	if err == nil {
		err = template.Must(template.New("page").Parse(page)).Execute(&text, template.URL(address))
	}
	file := filepath.Join(dir, fmt.Sprintf(".open-%d.html", os.Getpid()))
	if err == nil {
		err = statefile.Write(file, []byte(text.String()), 0o600)
	}
	if err != nil {
		return func() {}, fmt.Errorf("opening the browser: %w; open the address yourself", err)
	}
	remove = func() { _ = os.Remove(file) }
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, file)
	cmd.Env = environ.Desktop(os.Environ())
	if err := cmd.Run(); err != nil {
		return remove, fmt.Errorf("opening the browser with %s: %w; open the address yourself", program, err)
	}
	return remove, nil
}

// opener returns the program that opens a file as the user's desktop does.
func opener() (string, error) {
	name := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		name = "open"
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return "", errNoDesktop
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errNoDesktop
	}
	return path, nil
}
