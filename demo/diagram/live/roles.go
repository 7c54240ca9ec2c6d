package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// deployments are those that roles stand for.
func deployments() map[binding.Target]binding.Target {
	return map[binding.Target]binding.Target{
		binding.Git: "Deployment/fluxdemo/git", binding.Inbox: "Deployment/fluxdemo/inbox", binding.Registry: "Deployment/fluxdemo/registry", binding.App: binding.AppObject,
	}
}

// roles works out the states of the roles from those of what they are made of.
func (m *model) roles(seen time.Time) {
	for t, of := range deployments() {
		s, ok := m.hub.get(of)
		if !ok {
			s = State{Status: Missing, Message: "there is no " + string(of)}
		}
		s.Target = t
		if t == binding.Git && s.Status == Ready && m.push != nil {
			s.Revision = m.push.revision
		}
		m.role(s, seen)
	}
	m.role(State{Target: binding.User, Status: Idle}, seen)
	m.role(m.git, seen)
	m.role(m.flux(), seen)
	m.role(m.kubernetes(), seen)
}

// role publishes a role's state, unless a moment of it is not over. A moment does not hide a failure.
func (m *model) role(s State, seen time.Time) {
	if now, ok := m.moments[s.Target]; ok {
		switch {
		case !seen.Before(now.until):
			delete(m.moments, s.Target)
		case s.Status == Ready || s.Status == Idle:
			s = now.state
		}
	}
	if s.Since.IsZero() {
		s.Since = seen
	}
	m.hub.state(s, seen)
}

// nextMoment is when a moment is over, or a request was held for long enough, if there is one.
func (m *model) nextMoment() (at time.Time, ok bool) {
	for _, each := range m.moments {
		if !ok || each.until.Before(at) {
			at, ok = each.until, true
		}
	}
	for _, each := range m.held {
		if !ok || each.until.Before(at) {
			at, ok = each.until, true
		}
	}
	return at, ok
}

// flux is the worst, then the most active, of Flux's controllers and objects.
func (m *model) flux() State {
	parts := m.fluxParts()
	counts := map[Status]int{}
	first := map[Status]State{}
	for _, s := range parts {
		counts[s.Status]++
		if f, ok := first[s.Status]; !ok || s.Target < f.Target {
			first[s.Status] = s
		}
	}
	s := State{Target: binding.Flux, Status: Ready, Message: fmt.Sprintf("%d controllers and objects are ready", counts[Ready])}
	for _, status := range []Status{Failed, Working} {
		if n := counts[status]; n > 0 {
			s.Status = status
			s.Message = short(first[status])
			if n > 1 {
				s.Message += fmt.Sprintf(", and %d more", n-1)
			}
			return s
		}
	}
	if n := counts[Suspended]; n > 0 {
		s.Message += fmt.Sprintf(", %d suspended", n)
	}
	if counts[Ready] == 0 {
		s.Status, s.Message = Missing, "Flux is not installed in the cluster"
	}
	return s
}

func short(s State) string {
	kind, _, name, _ := s.Target.Object()
	return strings.TrimSuffix(kind+" "+name+": "+s.Message, ": ")
}

// fluxParts are the states of Flux's controllers and objects.
func (m *model) fluxParts() []State {
	var parts []State
	for t, o := range m.objects {
		if t.IsDeployment() && o.GetLabels()["app.kubernetes.io/part-of"] != "flux" {
			continue
		}
		if s, ok := m.hub.get(t); ok {
			parts = append(parts, s)
		}
	}
	return parts
}

// kubernetes is how the API is, and whether something is being applied or rolled out.
func (m *model) kubernetes() State {
	if m.api.Status != Ready {
		return m.api
	}
	s := m.api
	for t, o := range m.objects {
		what := ""
		switch {
		case binding.IsKind(t, "Kustomization") && strings.HasPrefix(object.Condition(o, meta.ReconcilingCondition).Message, applying):
			what = o.GetName() + " is being applied"
		case binding.IsKind(t, "HelmRelease") && object.Condition(o, meta.ReconcilingCondition).Status == "True":
			what = o.GetName() + " is being released"
		case t.IsDeployment() && owner(o) != "":
			if status, pods := deployment(o); status == Working {
				what = o.GetName() + " is being rolled out: " + pods
			}
		}
		// The first by name, so that the message does not waver.
		if what != "" && (s.Status != Working || what < s.Message) {
			s.Status, s.Message = Working, what
		}
	}
	return s
}
