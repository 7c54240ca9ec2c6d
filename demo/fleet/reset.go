package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// Reset moves the branch to a commit as Move does, and has the Git host refuse pushes that bring back what this, or
// anything earlier, has removed from the branch: a clone from before still has those commits. Call it also if the branch
// is at the commit already; it may have been elsewhere. A Git host of an earlier version only moves the branch.
func (r *Repository) Reset(ctx context.Context, commit string) error {
	address, err := url.Parse(r.URL)
	if err != nil {
		return fmt.Errorf("reading the URL of the fleet: %w", err)
	}
	host := gitapi.Client{Address: r.URL, User: r.User, Password: r.Password}
	name := strings.TrimSuffix(path.Base(address.Path), ".git")
	// First, so that a reset which is killed in between does all of it the next time.
	err = host.Reset(ctx, name, gitapi.Reset{Branch: Branch.Short(), Commit: commit})
	if err != nil && !errors.Is(err, gitapi.ErrUnknown) {
		return err
	}
	return r.Move(ctx, commit)
}
