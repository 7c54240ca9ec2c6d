package walk

import (
	"context"
	"fmt"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk/script"
)

// fleetVariable names the fleet's repository, for the walk's commands.
const fleetVariable = "FLEET_URL"

// cloneTime is how long it may take to bring the walk's clone to the head of the fleet.
const cloneTime = 30 * time.Second

// CloneStep returns the index of the step that clones the fleet into Clone; -1 if no step does, or if there is no Clone.
//
// From the step after it, each step and each undo starts in the clone, which then is at the head of the fleet's branch
// and has no changes, whatever the user has done before and wherever. The step itself, and those before it, start in
// the work folder, without a clone.
func (w *Walk) CloneStep() int {
	for i := range w.Steps {
		for _, b := range w.Steps[i].With(Change, Look) {
			if w.Clone != "" && script.Clones(b.script(), w.Clone) {
				return i
			}
		}
	}
	return -1
}

// onlyFleet reports whether the step changes nothing but the fleet and its clone, which the engine takes back.
func (s *Step) onlyFleet() bool {
	for _, b := range s.With(Change) {
		if !script.OnlyFiles(b.script()) {
			return false
		}
	}
	return true
}

// stand brings the shell and the walk's clone to where step i starts. It does nothing for a walk without a clone.
func (s *Session) stand(ctx context.Context, i int) error {
	w := s.Walk()
	if w.Clone == "" || i == len(w.Steps) {
		return nil
	}
	script := "cd \"$WALK_DIR\"\n"
	switch at := w.CloneStep(); {
	case i <= at:
		script += "rm -rf " + w.Clone + "\n"
	default:
		// An equal clone stays as it is: a terminal may stand in it.
		script += fmt.Sprintf(`if test "$(git -C %[1]s remote get-url origin) $(git -C %[1]s symbolic-ref HEAD) $(git -C %[1]s rev-parse HEAD) $(git -C %[1]s status --porcelain)" \
	!= "$%[2]s refs/heads/main $(git ls-remote "$%[2]s" refs/heads/main | cut -f 1) "; then
	rm -rf %[1]s
	git clone -q "$%[2]s" %[1]s
fi
cd %[1]s
`, w.Clone, fleetVariable)
	}
	ctx, cancel := context.WithTimeout(ctx, cloneTime)
	defer cancel()
	if output, err := s.runner.quietly(ctx, script); err != nil {
		return fmt.Errorf("preparing the walk's clone of the fleet: %w: %s", err, output)
	}
	return nil
}
