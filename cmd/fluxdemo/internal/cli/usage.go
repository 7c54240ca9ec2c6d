package cli

// UsageError is a mistake in what the user typed: the exit code is 2.
type UsageError struct{ err error }

// Usage marks an error as a mistake in what the user typed.
func Usage(err error) error { return UsageError{err} }

func (e UsageError) Error() string { return e.err.Error() }

// Unwrap returns the error that was marked.
func (e UsageError) Unwrap() error { return e.err }
