package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/transport"
	"github.com/go-git/go-git/v6/storage/memory"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

const (
	mostRepositories = 50
	maxRequest       = 4 << 10 // bytes of a request that is not Git's
)

// statusError is an error with the HTTP status of its answer.
type statusError struct {
	status int
	error
}

// answer sends an error to a client. Git shows it to the user.
func answer(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if se, ok := errors.AsType[statusError](err); ok {
		status = se.status
	}
	http.Error(w, err.Error(), status)
}

func notFound(w http.ResponseWriter) { http.Error(w, "repository not found", http.StatusNotFound) }

// openRepos opens the configured repositories and those that are there.
func (s *Server) openRepos() error {
	found, err := filepath.Glob(filepath.Join(s.cfg.Root, "*.git"))
	if err != nil {
		return fmt.Errorf("looking for repositories in %s: %w", s.cfg.Root, err)
	}
	names := slices.Clone(s.cfg.Repositories)
	for _, path := range found {
		if fi, err := os.Stat(path); err == nil && fi.IsDir() {
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".git"))
		}
	}
	for _, name := range names {
		if name == "" || name[0] == '.' || filepath.Base(name) != name {
			return fmt.Errorf("%q is not a valid name for a repository: use letters, digits, and dashes", name)
		}
		if s.repos[name] != nil {
			continue
		}
		if s.repos[name], err = openRepo(s.cfg.Root, name); err != nil {
			return err
		}
		s.names = append(s.names, name)
	}
	return nil
}

// repoName returns the name of the repository of a request, which may say it with ".git".
func repoName(r *http.Request) string { return strings.TrimSuffix(r.PathValue("repo"), ".git") }

// repo returns a repository, or nil.
func (s *Server) repo(name string) *repo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.repos[name]
}

// all returns the names of the repositories, the first one first, and the others in the order of the alphabet.
func (s *Server) all() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := slices.Clone(s.names)
	slices.Sort(names[1:])
	return names
}

// mayCreate says why a repository cannot be created. The caller holds s.mu.
func (s *Server) mayCreate(name string) error {
	if err := gitapi.CheckName(name); err != nil {
		return statusError{http.StatusBadRequest, err}
	}
	for _, other := range s.names {
		if strings.EqualFold(other, name) { // the disk may not tell them apart
			return statusError{http.StatusConflict, fmt.Errorf("there is a repository %s already", other)}
		}
	}
	if len(s.names) >= mostRepositories {
		return statusError{http.StatusForbidden, fmt.Errorf("there are %d repositories, which is the limit", len(s.names))}
	}
	return nil
}

// newRepo creates an empty repository.
func (s *Server) newRepo(name string) (*repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayCreate(name); err != nil {
		return nil, err
	}
	rp, err := openRepo(s.cfg.Root, name)
	if err != nil {
		return nil, err
	}
	s.repos[name] = rp
	s.names = append(s.names, name)
	s.log.Info("created", "repository", name)
	return rp, nil
}

// findOrCreate returns the repository for a push, which creates it if necessary.
func (s *Server) findOrCreate(name string) (*repo, error) {
	if rp := s.repo(name); rp != nil {
		return rp, nil
	}
	rp, err := s.newRepo(name)
	if se, ok := errors.AsType[statusError](err); ok && se.status == http.StatusConflict {
		if other := s.repo(name); other != nil { // another push has created it just now
			return other, nil
		}
	}
	return rp, err
}

// advertiseNew answers the first request of a push to a repository that is not there: it has no references. The second
// request creates it, so that a question leaves nothing behind.
func (s *Server) advertiseNew(w http.ResponseWriter, r *http.Request, name string) {
	s.mu.RLock()
	err := s.mayCreate(name)
	s.mu.RUnlock()
	if err != nil {
		answer(w, err)
		return
	}
	st := memory.NewStorage()
	if err := st.SetReference(plumbing.NewSymbolicReference(plumbing.HEAD, plumbing.Main)); err != nil {
		answer(w, err)
		return
	}
	gitHeaders(w, transport.ReceivePackService, "advertisement")
	if err := transport.AdvertiseRefs(r.Context(), st, w, transport.ReceivePackService, true); err != nil {
		s.failed(r.Context(), "advertise references", name, err)
	}
}

// describe returns what clients hear of a repository. host is the address at which they have asked.
func (s *Server) describe(rp *repo, host string) (gitapi.Repository, error) {
	st := rp.open()
	defer closeStorage(st)
	branch, err := head(st)
	if err != nil {
		return gitapi.Repository{}, err
	}
	out := gitapi.Repository{Name: rp.name, URL: "http://" + host + "/" + rp.name + ".git", Branch: branch.Short(), Webhook: s.hooks.sends(rp)}
	switch ref, err := st.Reference(branch); {
	case err == nil:
		out.Commit = ref.Hash().String()
	case !errors.Is(err, plumbing.ErrReferenceNotFound):
		return out, fmt.Errorf("reading %s: %w", branch, err)
	}
	return out, nil
}

// list answers with all repositories.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	list := gitapi.List{Repositories: []gitapi.Repository{}}
	for _, name := range s.all() {
		one, err := s.describe(s.repo(name), r.Host)
		if err != nil {
			answer(w, fmt.Errorf("repository %s: %w", name, err))
			return
		}
		list.Repositories = append(list.Repositories, one)
	}
	serve.JSON(w, list)
}

// create makes a repository, with the credentials of a push.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Name string }
	if !s.allowed(w, r) || !readJSON(w, r, &asked) {
		return
	}
	rp, err := s.newRepo(asked.Name)
	if err != nil {
		answer(w, err)
		return
	}
	one, err := s.describe(rp, r.Host)
	if err != nil {
		answer(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	serve.JSON(w, one)
}

// reset notes a reset of the demo, with the credentials of a push.
func (s *Server) reset(w http.ResponseWriter, r *http.Request) {
	var asked gitapi.Reset
	if !s.allowed(w, r) {
		return
	}
	rp := s.repo(repoName(r))
	if rp == nil {
		notFound(w)
		return
	}
	if !readJSON(w, r, &asked) {
		return
	}
	branch := plumbing.NewBranchReferenceName(asked.Branch)
	commit, ok := plumbing.FromHex(asked.Commit)
	if !ok || branch.Validate() != nil {
		http.Error(w, "a reset needs a branch and a commit", http.StatusBadRequest)
		return
	}
	removed, err := rp.markReset(branch, commit)
	if err != nil {
		answer(w, err)
		return
	}
	s.log.Info("reset", "repository", rp.name, "ref", branch.String(), "commit", commit.String(), "heads", removed)
	w.WriteHeader(http.StatusNoContent)
}

// readJSON reads a small request, or answers with an error.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "send JSON, and say so in the header Content-Type", http.StatusUnsupportedMediaType)
		return false
	}
	defer serve.ReadWithin(w, bodyTimeout)()
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(into); err != nil {
		http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
