package stream

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Archive changes the command with which kubectl cp reads from a container.
// The names in the archive have to be those that the client asked for, and a
// process without a mount namespace has other names for mounted paths. So tar
// works in a folder, made below dir, that has a link for the mounted path. The
// second result removes the folder. Other commands are returned as rewrite
// makes them.
func Archive(command []string, dir string, resolve func(string) (string, bool), rewrite func([]string) []string) ([]string, func(), error) {
	nothing := func() {}
	if len(command) != 4 || !slices.Equal(command[:3], []string{"tar", "cf", "-"}) || !path.IsAbs(command[3]) {
		return rewrite(command), nothing, nil
	}
	asked := path.Clean(command[3])
	host, ok := resolve(asked)
	if !ok {
		return rewrite(command), nothing, nil
	}
	root, err := os.MkdirTemp(dir, "cp-")
	if err != nil {
		return nil, nothing, err
	}
	remove := func() { _ = os.RemoveAll(root) } // it goes with the pod at the latest
	// The link stands for the parent of what is asked for: tar follows links on
	// the way, and keeps the last one.
	name := strings.TrimPrefix(asked, "/")
	parent, last := path.Split(name)
	link := filepath.Join(root, filepath.FromSlash(parent))
	target := filepath.Dir(host)
	options := []string{"-C", root}
	if filepath.Base(host) != last || parent == "" { // what is asked for is the mount itself
		link, target = filepath.Join(root, filepath.FromSlash(name)), host
		options = append(options, "-h")
	}
	err = os.MkdirAll(filepath.Dir(link), 0o700)
	if err == nil {
		err = os.Symlink(target, link)
	}
	if err != nil {
		remove()
		return nil, nothing, err
	}
	return append(append([]string{"tar", "cf", "-"}, options...), name), remove, nil
}
