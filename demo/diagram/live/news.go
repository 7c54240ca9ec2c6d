package live

import (
	"fmt"
	"strings"
	"time"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// zeroCommit stands for a branch that is not there.
const zeroCommit = "0000000000000000000000000000000000000000"

// revisionOf is Flux's name for a commit on a ref.
func revisionOf(ev event.Git) string {
	short := strings.TrimPrefix(strings.TrimPrefix(ev.Ref, "refs/heads/"), "refs/tags/")
	return short + "@sha1:" + ev.Commit
}

// fromGit takes an event of the Git host that happened at a time. old says that it is from before the watch.
func (m *model) fromGit(ev event.Git, at time.Time, old bool, seen time.Time) {
	revision := revisionOf(ev)
	switch {
	case ev.Kind == event.Push:
		if old {
			break
		}
		m.push = &pushed{revision: revision, ref: ev.Ref, at: at, asked: map[binding.Target]bool{}}
		m.moments[binding.User] = moment{State{Target: binding.User, Status: Working, Message: "has pushed", Revision: revision}, seen.Add(momentary)}
		message := "pushed " + ev.Commit[:min(len(ev.Commit), 8)]
		if ev.Commit == zeroCommit {
			message = "deleted"
		}
		m.pulse(binding.Pulse{From: binding.User, To: binding.Git, What: binding.Push, Revision: revision, Object: ev.Ref, Evidence: "the Git host: " + message, At: at}, seen)
		if m.hookPath != "" {
			m.git = State{Target: binding.Hook, Status: Working, Message: "on its way", Revision: revision, Since: at}
		}
		m.release(func(request) bool { return true })
	case ev.Kind != event.Delivery:
	case ev.State == event.Delivered:
		if !old && m.push != nil && m.push.revision == revision && !m.push.arrived {
			m.arrived(seen, fmt.Sprintf("the Git host: delivered, status %d", ev.Status))
		}
		m.git = State{Target: binding.Hook, Status: Ready, Message: "delivered", Revision: revision, Since: at}
	case ev.State == event.Retrying, ev.State == event.Failed:
		m.git = State{Target: binding.Hook, Status: Failed, Message: ev.Error, Revision: revision, Since: at}
	}
	m.roles(seen)
}

// arrived publishes, once, that the webhook of the last push has arrived.
func (m *model) arrived(seen time.Time, evidence string) {
	m.push.arrived = true
	p := binding.Pulse{From: binding.Git, To: binding.Hook, What: binding.Webhook, Revision: m.push.revision, Object: m.push.ref, Evidence: evidence}
	m.pulse(p, seen)
	for t, o := range m.objects {
		if binding.IsKind(t, "Receiver") && m.hookPath != "" && object.Text(o, "status", "webhookPath") == m.hookPath {
			p.From, p.To = binding.Hook, t
			m.pulse(p, seen)
		}
	}
}

// fromInbox takes a notification. old says that it is from before the watch.
func (m *model) fromInbox(n event.Notification, old bool, seen time.Time) {
	if old {
		return
	}
	o := n.InvolvedObject
	from := binding.ObjectTarget(o.Kind, o.Namespace, o.Name)
	// Flux notifies after it has written the status, but the inbox may be quicker than the watch.
	if k, r := m.objects[from], m.runs[from]; r != nil && n.Reason == fluxmeta.ReconciliationSucceededReason && n.Revision() == r.fetched && r.fetched != "" {
		m.apply(from, k, r.fetched, "", "the inbox: "+n.Reason, seen)
	}
	m.moments[binding.Inbox] = moment{State{Target: binding.Inbox, Status: Working, Message: n.Reason + " of " + o.Kind + " " + o.Name, Revision: n.Revision()}, seen.Add(momentary)}
	m.pulse(binding.Pulse{From: from, To: binding.Inbox, What: binding.Notify, Revision: n.Revision(), Object: string(from), Evidence: "the inbox: " + n.Reason, At: n.Received}, seen)
	m.roles(seen)
}
