package object

import (
	"path"
	"regexp"
	"strings"
)

// How much of a long message is shown. One that is not understood begins with what failed and ends with why.
const briefStart, briefEnd = 120, 180

// Brief makes a message of a condition, an event, or an error one line of at most about 300 characters that begins with
// the reason. Of a failed build it leaves the file and the reason. For example
//
//	kustomize build failed: accumulating resources: accumulation err='accumulating resources from '../base': read
//	/tmp/kustomization-31/base: is a directory': recursed accumulation of path '/tmp/kustomization-31/base': accumulating
//	resources from 'app.yaml': missing metadata.name in object
//
// becomes "base/app.yaml: missing metadata.name in object (kustomize build failed)".
func Brief(message string) string {
	s := strings.Join(strings.Fields(message), " ")
	s = checkout().ReplaceAllString(s, "")
	const failed = "kustomize build failed: "
	if at := strings.Index(s, failed); at >= 0 {
		s = s[:at] + buildReason(s[at+len(failed):]) + " (" + strings.TrimSuffix(failed, ": ") + ")"
		if r := []rune(s); len(r) > briefStart+briefEnd {
			return string(r[:briefStart+briefEnd]) + " …"
		}
		return s
	}
	if r := []rune(s); len(r) > briefStart+briefEnd {
		return string(r[:briefStart]) + " … " + string(r[len(r)-briefEnd:])
	}
	return s
}

// checkout matches the folder in which kustomize-controller has unpacked an artifact: paths become those of the
// repository.
func checkout() *regexp.Regexp { return regexp.MustCompile(`(/[^\s'":]+)?/kustomization-[0-9]+(/|\b)`) }

// buildReason returns the reason of kustomize's error, behind the file that it is about. kustomize reads each resource as
// a file, then as a folder, and wraps both errors at each level (accumulateResources in
// sigs.k8s.io/kustomize/api/internal/target).
func buildReason(s string) string {
	dir := ""
	// The innermost folder that could be read is where the mistake is.
	for _, level := range []string{"recursed accumulation of path '", "couldn't make target for path '"} {
		if at := strings.LastIndex(s, level); at >= 0 {
			folder, rest, _ := strings.Cut(s[at+len(level):], "': ")
			dir, s = folder, rest
		}
	}
	s = strings.TrimPrefix(s, "accumulating resources: ")
	s, twice := strings.CutPrefix(s, "accumulation err='")
	for _, doing := range []string{"accumulating resources from '", "merging resources from '"} {
		name, reason, is := strings.Cut(strings.TrimPrefix(s, doing), "': ")
		if !is || !strings.HasPrefix(s, doing) {
			continue
		}
		if twice {
			reason, _, _ = strings.Cut(reason, "': ") // what follows is why the file is no folder
		}
		return path.Join(dir, name) + ": " + strings.TrimSpace(reason)
	}
	if dir == "" {
		return s
	}
	return dir + ": " + s
}
