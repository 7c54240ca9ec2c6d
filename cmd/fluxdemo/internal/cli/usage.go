package cli

import "github.com/fluxdemo/fluxdemo/clusters"

// Usage marks an error as one in what the user typed: a *clusters.UsageError, with which providers mark theirs. The
// exit code is 2.
func Usage(err error) error { return &clusters.UsageError{Err: err} }
