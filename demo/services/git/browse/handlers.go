package browse

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
)

const (
	fileBytes = 512 << 10 // of a file that is shown
	fileLines = 10000
	folderMax = 2000 // entries of a folder that are listed
)

type (
	listedRepo struct {
		Name    string
		Empty   bool
		Commit  plumbing.Hash
		Subject string
		Author  string
		When    string
		Problem string
	}
	crumb struct{ Name, Path string }
	entry struct {
		Name, Path string
		Kind       string // folder, file, link, submodule
		Size       string
		Hash       plumbing.Hash
	}
	treeBody struct {
		Rev, Path string
		Clone     string
		Empty     bool
		Last      *commitRow
		Crumbs    []crumb
		Entries   []entry
		More      int
		Readme    string // its name
		Text      string // and what it says
		Problem   string // or why that is not shown
	}
	fileBody struct {
		Rev, Path string
		Commit    plumbing.Hash
		Crumbs    []crumb
		Size      string
		Mode      string
		Lines     []string
		Problem   string
	}
)

// list shows all repositories.
func (p *Pages) list(_ *http.Request, v *view) error {
	var all []listedRepo
	for _, name := range p.host.Repositories() {
		st, ok := p.host.Open(name)
		if !ok {
			continue
		}
		one := listedRepo{Name: name}
		rev, err := resolve(st, "")
		switch {
		case errors.Is(err, errEmpty):
			one.Empty = true
		case err != nil:
			one.Problem = err.Error()
		default:
			one.Commit, one.Subject = rev.Commit.Hash, subject(rev.Commit.Message)
			one.Author, one.When = rev.Commit.Author.Name, when(rev.Commit.Committer.When)
		}
		st.Close()
		all = append(all, one)
	}
	v.template, v.Body, v.Last = "list", all, p.host.LastEvent()
	return nil
}

// tree shows a folder; that of the default branch with the text of its README.
func (p *Pages) tree(r *http.Request, v *view) error {
	q := r.URL.Query()
	body := treeBody{Rev: q.Get("rev"), Path: q.Get("path"), Clone: "http://" + v.Host + "/" + v.Repo + ".git"}
	v.template, v.Tab = "tree", "files"
	if body.Rev == "" {
		v.Last = p.host.LastEvent()
	}
	rev, err := resolve(v.st, body.Rev)
	if errors.Is(err, errEmpty) && body.Path == "" {
		body.Empty = true
		v.Body = body
		return nil
	}
	if err != nil {
		return err
	}
	at, err := entryAt(v.st, rev.Commit, body.Path)
	if err != nil {
		return err
	}
	if at.Mode != filemode.Dir {
		return p.file(r, v)
	}
	t, err := object.GetTree(v.st, at.Hash)
	if err != nil {
		return fmt.Errorf("reading a folder: %w", err)
	}
	last := p.rowOf(v.Repo, rev.Commit)
	body.Last, body.Crumbs = &last, crumbs(body.Path)
	if body.Path != "" {
		v.Title = body.Path + " · " + v.Repo
	}
	body.Entries, body.More = entries(v.st, t, body.Path)
	for _, e := range t.Entries {
		if isReadme(e.Name) && e.Mode.IsFile() && e.Mode != filemode.Symlink {
			c, err := read(v.st, e.Hash, fileBytes)
			if err != nil {
				return err
			}
			body.Readme, body.Text, body.Problem = e.Name, visibleLines(c.Text), c.Problem
			break
		}
	}
	v.Body = body
	return nil
}

func isReadme(name string) bool {
	switch strings.ToLower(name) {
	case "readme", "readme.md", "readme.txt", "readme.rst", "readme.adoc":
		return true
	}
	return false
}

// entries lists a folder: its folders first, as file managers do. more is how many are not listed.
func entries(st Storage, t *object.Tree, path string) (list []entry, more int) {
	list = make([]entry, 0, len(t.Entries))
	for _, e := range t.Entries {
		one := entry{Name: e.Name, Path: e.Name, Kind: "file", Hash: e.Hash}
		if path != "" {
			one.Path = path + "/" + e.Name
		}
		switch e.Mode {
		case filemode.Dir:
			one.Kind = "folder"
		case filemode.Submodule:
			one.Kind = "submodule"
		case filemode.Symlink:
			one.Kind = "link"
		}
		list = append(list, one)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Kind == "folder" && list[j].Kind != "folder" })
	if n := len(list); n > folderMax {
		list, more = list[:folderMax], n-folderMax
	}
	for i, e := range list {
		if e.Kind == "file" {
			if n, err := st.EncodedObjectSize(e.Hash); err == nil {
				list[i].Size = size(n)
			}
		}
	}
	return list, more
}

// crumbs are the folders above a path, and what it ends with.
func crumbs(path string) []crumb {
	if path == "" {
		return nil
	}
	var list []crumb
	names := strings.Split(path, "/")
	for i, name := range names {
		list = append(list, crumb{name, strings.Join(names[:i+1], "/")})
	}
	return list
}

// file shows a file with numbers at its lines.
func (p *Pages) file(r *http.Request, v *view) error {
	q := r.URL.Query()
	body := fileBody{Rev: q.Get("rev"), Path: q.Get("path"), Crumbs: crumbs(q.Get("path"))}
	rev, err := resolve(v.st, body.Rev)
	if err != nil {
		return err
	}
	e, err := entryAt(v.st, rev.Commit, body.Path)
	if err != nil {
		return err
	}
	v.template, v.Tab, v.Title = "file", "files", body.Path+" · "+v.Repo
	body.Commit, body.Mode = rev.Commit.Hash, modeName(e.Mode)
	switch e.Mode {
	case filemode.Dir:
		return p.tree(r, v)
	case filemode.Submodule:
		body.Problem = "This is a submodule: another repository, at commit " + e.Hash.String() + "."
		v.Body = body
		return nil
	}
	c, err := read(v.st, e.Hash, fileBytes)
	if err != nil {
		return err
	}
	body.Size, body.Problem = size(c.Size), c.Problem
	for i, l := range lines(strings.ReplaceAll(c.Text, "\r\n", "\n")) {
		if i == fileLines {
			body.Problem = fmt.Sprintf("Only the first %d lines are shown.", fileLines)
			break
		}
		body.Lines = append(body.Lines, visible(l))
	}
	v.Body = body
	return nil
}
