package git

import (
	_ "embed" // the page
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// shown is how many commits of a repository the page lists.
const shown = 20

//go:embed page.html
var pageHTML string

type (
	pageView struct {
		Nonce string
		Last  int64 // the newest event that the page knows
		Repos []repoView
	}
	repoView struct {
		Name, URL, Branch, Problem string
		Commits                    []commitView
	}
	commitView struct {
		Short, Subject, Author, When string
	}
)

// page shows the last commits of each repository.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	tmpl, err := template.New("page").Parse(pageHTML)
	if err != nil {
		http.Error(w, "the page is broken", http.StatusInternalServerError)
		return
	}
	_, last, _ := s.feed.Since(0)
	v := pageView{Nonce: serve.Page(w), Last: last}
	for _, name := range s.names {
		// The address that the reader used works for the reader; the name inside the cluster does not.
		rv := repoView{Name: name, URL: "http://" + r.Host + "/" + name + ".git", Branch: plumbing.Main.Short()}
		if rv.Commits, err = s.repos[name].log(shown); err != nil {
			rv.Problem = err.Error()
		}
		v.Repos = append(v.Repos, rv)
	}
	if err := tmpl.Execute(w, v); err != nil && r.Context().Err() == nil {
		s.log.Warn("write the page", "error", err.Error())
	}
}

// log returns the newest commits of the default branch, first parents only; none if it is not there yet.
func (r *repo) log(limit int) ([]commitView, error) {
	tips, err := r.tips()
	if err != nil {
		return nil, err
	}
	st := r.open()
	defer closeStorage(st)
	var out []commitView
	for h := tips[plumbing.Main]; !h.IsZero() && len(out) < limit; {
		c, err := object.GetCommit(st, h)
		if err != nil {
			return out, err
		}
		subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
		out = append(out, commitView{
			Short: c.Hash.String()[:7], Subject: subject, Author: c.Author.Name,
			When: c.Author.When.UTC().Format(time.DateTime) + " UTC",
		})
		if len(c.ParentHashes) == 0 {
			break
		}
		h = c.ParentHashes[0]
	}
	return out, nil
}
