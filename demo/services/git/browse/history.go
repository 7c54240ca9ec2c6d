package browse

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"
)

const (
	commitsPerPage = 30
	lastPage       = 1000
	messageBytes   = 64 << 10
	refsMax        = 1000 // branches or tags that are listed
)

type (
	commitRow struct {
		Hash    plumbing.Hash
		Subject string
		Author  string
		When    string
		Pusher  string // who has pushed it, if it was the head of a push that is remembered
	}
	commitsBody struct {
		Rev          string
		Rows         []commitRow
		Newer, Older string // numbers of pages
		Empty        bool
	}
	commitBody struct {
		Row             commitRow
		Message         string
		AuthorEmail     string
		Committer       string // if it is another person
		Parents         []plumbing.Hash
		Changes         []change
		More            int
		Added, Removed  int
		Problem, Pushed string
	}
	refRow struct {
		Name, Ref string
		Default   bool
		Problem   string
		Row       *commitRow
	}
	refsBody struct {
		Branches, Tags []refRow
		More           int
	}
)

// rowOf describes a commit in one line.
func (p *Pages) rowOf(repo string, c *object.Commit) commitRow {
	return p.rows(repo, []*object.Commit{c})[0]
}

func (p *Pages) rows(repo string, commits []*object.Commit) []commitRow {
	pushers := map[plumbing.Hash]string{}
	for _, push := range p.host.Pushes(repo) { // the oldest comes last, and counts
		pushers[push.After] = push.User
	}
	out := make([]commitRow, 0, len(commits))
	for _, c := range commits {
		out = append(out, commitRow{c.Hash, subject(c.Message), c.Author.Name, when(c.Committer.When), pushers[c.Hash]})
	}
	return out
}

// commits lists the history of a revision, a page at a time.
func (p *Pages) commits(r *http.Request, v *view) error {
	q := r.URL.Query()
	v.template, v.Tab, v.Title = "commits", "commits", "Commits · "+v.Repo
	body := commitsBody{Rev: q.Get("rev")}
	page := 1
	if text := q.Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > lastPage {
			return notFound("there is no such page of commits")
		}
		page = n
	}
	if page == 1 && body.Rev == "" {
		v.Last = p.host.LastEvent()
	}
	rev, err := resolve(v.st, body.Rev)
	if errors.Is(err, errEmpty) {
		body.Empty = true
		v.Body = body
		return nil
	}
	if err != nil {
		return err
	}
	var shown []*object.Commit
	history := object.NewCommitIterCTime(rev.Commit, nil, nil)
	defer history.Close()
	for i := 0; len(shown) <= commitsPerPage; i++ {
		c, err := history.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = r.Context().Err()
		}
		if err != nil {
			return fmt.Errorf("reading the commits: %w", err)
		}
		if i >= (page-1)*commitsPerPage {
			shown = append(shown, c)
		}
	}
	if len(shown) > commitsPerPage {
		shown, body.Older = shown[:commitsPerPage], strconv.Itoa(page+1)
	}
	if page > 1 {
		body.Newer = strconv.Itoa(page - 1)
	}
	body.Rows = p.rows(v.Repo, shown)
	v.Body = body
	return nil
}

// commit shows what a commit changes.
func (p *Pages) commit(r *http.Request, v *view) error {
	rev, err := resolve(v.st, r.URL.Query().Get("rev"))
	if err != nil {
		return err
	}
	c := rev.Commit
	v.template, v.Tab, v.Title = "commit", "commits", subject(c.Message)+" · "+v.Repo
	message := strings.TrimSpace(c.Message)
	body := commitBody{
		Row: p.rowOf(v.Repo, c), Message: visibleLines(message[:min(len(message), messageBytes)]),
		AuthorEmail: c.Author.Email, Parents: c.ParentHashes,
	}
	if c.Committer.Name != c.Author.Name || c.Committer.Email != c.Author.Email {
		body.Committer = c.Committer.Name
	}
	for _, push := range p.host.Pushes(v.Repo) {
		if push.After.Equal(c.Hash) {
			body.Pushed = when(push.Time)
		}
	}
	// The rest of the page is of use without the changes.
	if body.Changes, body.More, err = changesOf(r.Context(), v.st, c); err != nil {
		body.Problem = err.Error()
	}
	for _, ch := range body.Changes {
		body.Added += ch.Added
		body.Removed += ch.Removed
	}
	v.Body = body
	return nil
}

// refs lists branches and tags.
func (p *Pages) refs(_ *http.Request, v *view) error {
	v.template, v.Tab, v.Title, v.Last = "refs", "refs", "Branches and tags · "+v.Repo, p.host.LastEvent()
	all, err := v.st.IterReferences()
	if err != nil {
		return fmt.Errorf("reading references: %w", err)
	}
	var names []*plumbing.Reference
	err = all.ForEach(func(ref *plumbing.Reference) error {
		if ref.Type() == plumbing.HashReference && (ref.Name().IsBranch() || ref.Name().IsTag()) {
			names = append(names, ref)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading references: %w", err)
	}
	sort.Slice(names, func(i, j int) bool { return names[i].Name() < names[j].Name() })
	var body refsBody
	if len(names) > refsMax {
		names, body.More = names[:refsMax], len(names)-refsMax
	}
	for _, ref := range names {
		one := refRow{Name: ref.Name().Short(), Ref: ref.Name().String(), Default: ref.Name().IsBranch() && ref.Name().Short() == v.Branch}
		if c, err := peel(v.st, ref.Hash()); err != nil {
			one.Problem = "not a commit"
		} else {
			row := p.rowOf(v.Repo, c)
			one.Row = &row
		}
		if ref.Name().IsBranch() {
			body.Branches = append(body.Branches, one)
		} else {
			body.Tags = append(body.Tags, one)
		}
	}
	slices.Reverse(body.Tags) // versions: the newest is at the end of the alphabet, mostly
	v.Body = body
	return nil
}

type pushRow struct {
	Push
	When, What string
}

// pushes lists who has pushed.
func (p *Pages) pushes(_ *http.Request, v *view) error {
	v.template, v.Tab, v.Title, v.Last = "pushes", "pushes", "Pushes · "+v.Repo, p.host.LastEvent()
	var list []pushRow
	for _, push := range p.host.Pushes(v.Repo) {
		if len(list) == 100 {
			break
		}
		row := pushRow{Push: push, When: when(push.Time), What: "moved"}
		switch {
		case push.Before.IsZero():
			row.What = "created"
		case push.After.IsZero():
			row.What = "deleted"
		}
		list = append(list, row)
	}
	v.Body = list
	return nil
}
