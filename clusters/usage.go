package clusters

// UsageError is a mistake in what the user gave, such as a flag or a file that a flag names. The user corrects it; to try
// again does not help.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *UsageError) Unwrap() error { return e.Err }
