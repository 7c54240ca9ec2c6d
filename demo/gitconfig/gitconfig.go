// Package gitconfig hides the user's Git configuration from go-git, with which
// fluxdemo commits and pushes, so that a setting such as commit.gpgSign has no
// effect on the demo's repositories.
package gitconfig

import (
	"fmt"

	"github.com/go-git/go-git/v6/x/plugin"
	xconfig "github.com/go-git/go-git/v6/x/plugin/config"
)

// Ignore makes go-git read no configuration but a repository's own, in the
// whole process. It has to be called before go-git is used, and fails
// otherwise.
func Ignore() error {
	err := plugin.Register(plugin.ConfigLoader(), func() plugin.ConfigSource { return xconfig.NewEmpty() })
	if err != nil {
		return fmt.Errorf("setting up Git: %w", err)
	}
	return nil
}
