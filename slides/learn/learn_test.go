package learn

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/terminal"
)

// long is how long anything here may take on a busy machine.
const long = 2 * time.Minute

// note is a walk without a cluster.
const note = "---\ntitle: Keep a note\n---\n# Keep a note\n\nA note is a `promise`.\n\n```mermaid\nflowchart LR\n  you([User]) -- git push --> git[Git host] -- webhook --> flux[Flux]\n```\n" +
	"## Write it\nWe write it.\n```sh\necho call > note.txt\n```\n" +
	"```sh check label=\"there is a note\"\n# There is no note yet.\ntest -s \"$WALK_DIR/note.txt\"\n```\n" +
	"```sh check always label=\"there is a folder\"\ntest -d \"$WALK_DIR\"\n```\n" +
	"```text task\nWrite a note into `note.txt`.\n```\n```text hint\nA line in a file is enough.\n```\n```text why\nWhat is written down, others can read.\n```\n" +
	"```sh undo\nrm -f \"$WALK_DIR/note.txt\"\n```\n" +
	"## Read it\n```sh look\ncat note.txt\n```\n```sh check label=\"it is there\"\ntest -s \"$WALK_DIR/note.txt\"\n```\n" +
	"## Sign it\nSign.\n```sh\necho Ann >> note.txt\n```\n```sh check timeout=2s label=\"it is signed\"\ngrep Ann \"$WALK_DIR/note.txt\"\n```\n" +
	"```sh undo\nsed -i /Ann/d \"$WALK_DIR/note.txt\"\n```\n" +
	"## Cleanup\n```sh\nrm -f note.txt\n```\n"

// fixture is a page for a walk, with a folder for the walk and one for the learner.
type fixture struct {
	*Server
	t         *testing.T
	url       string // ends with a slash
	dir, mine string // the walk's folder, and the learner's
	o         walk.SessionOptions
	closed    func()
}

// serveNote serves the page for the walk note until the test ends. The options may be changed before.
func serveNote(t *testing.T, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), mine: t.TempDir()}
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.dir, "PS1=> ", "TERM=xterm-256color", "WALK_DIR=" + f.dir}
	f.o = walk.SessionOptions{Runner: walk.Options{Env: env, Dir: f.dir}, File: filepath.Join(t.TempDir(), "progress.json")}
	sh, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Session: f.open(), Progress: f.o.File, Defaults: binding.DemoDefaults(),
		Shell: &terminal.Options{Command: []string{sh, "--noprofile", "--norc", "-i"}, Dir: f.mine, Env: env},
	}
	for _, c := range change {
		c(&o)
	}
	if f.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.url = "http://" + ln.Addr().String() + "/"
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, ln) }()
	f.closed = func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			ended <- nil // for a second call
		case <-time.After(long):
			t.Error("the page does not close")
		}
	}
	t.Cleanup(f.closed)
	return f
}

// open takes the progress up, as another process would.
func (f *fixture) open() *walk.Session {
	f.t.Helper()
	w, err := walk.Parse("note.md", []byte(note))
	if err != nil {
		f.t.Fatal(err)
	}
	ses, err := walk.Open(f.t.Context(), w, f.o)
	if err != nil {
		f.t.Fatal(err)
	}
	return ses
}

// dial opens a WebSocket with the token.
func (f *fixture) dial(path string) *websocket.Conn {
	f.t.Helper()
	conn, _, err := websocket.Dial(f.t.Context(), strings.Replace(f.url, "http", "ws", 1)+path, &websocket.DialOptions{
		Subprotocols: []string{protocol, "fluxdemo.token." + f.Token()},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	f.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// follower is a page that shows the lesson.
type follower struct {
	t  *testing.T
	mu sync.Mutex
	l  lessonModel
}

func (f *fixture) follow() *follower {
	f.t.Helper()
	conn, to := f.dial("api/events"), &follower{t: f.t}
	go func() {
		for {
			_, data, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			var m struct {
				Event string
				Data  json.RawMessage
			}
			var hello helloModel
			_ = json.Unmarshal(data, &m)
			to.mu.Lock()
			switch m.Event {
			case "hello":
				_ = json.Unmarshal(m.Data, &hello)
				to.l = hello.Lesson
			case "lesson":
				l := lessonModel{}
				_ = json.Unmarshal(m.Data, &l)
				to.l = l
			}
			to.mu.Unlock()
		}
	}()
	return to
}

// see waits until the lesson is as ok says.
func (to *follower) see(what string, ok func(l *lessonModel) bool) {
	to.t.Helper()
	for end := time.Now().Add(long); ; time.Sleep(5 * time.Millisecond) {
		to.mu.Lock()
		is := ok(&to.l)
		l, _ := json.MarshalIndent(to.l, "", " ")
		to.mu.Unlock()
		if is {
			return
		}
		if time.Now().After(end) {
			to.t.Fatalf("never %s:\n%s", what, l)
		}
	}
}

// ask sends a command, and returns the status.
func (f *fixture) ask(command string) int {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url+"api/command", strings.NewReader(`{"command":"`+command+`"}`))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (f *fixture) must(command string) {
	f.t.Helper()
	if code := f.ask(command); code != http.StatusOK {
		f.t.Fatalf("%s: status %d", command, code)
	}
}

func (f *fixture) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "note.txt"), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestLesson does the walk: by hand, by the page's buttons, and in another process.
func TestLesson(t *testing.T) {
	f := serveNote(t)
	page := f.follow()
	page.see("the results of both checks", func(l *lessonModel) bool {
		return l.Position == 0 && l.Step != nil && len(l.Step.Result) == 2 && !l.Step.Result[0].Holds && l.Step.Result[0].Why == "There is no note yet." &&
			l.Step.Result[1].Holds
	})
	page.see("the task", func(l *lessonModel) bool {
		return l.Step.Task[0] == "Write a note into `note.txt`." && l.Intro[0] == "A note is a `promise`." && l.Diagram.Bind != nil && l.Before == nil
	})
	f.must("check")
	page.see("the results that were asked for", func(l *lessonModel) bool { return l.Step.Asked && len(l.Step.Result) == 2 })
	f.must("hint")
	page.see("a hint", func(l *lessonModel) bool {
		return len(l.Step.Hints) == 1 && l.Step.Levels == 2 && l.Step.Hints[0].Text == "A line in a file is enough."
	})
	f.must("hint")
	page.see("the commands", func(l *lessonModel) bool {
		return len(l.Step.Hints) == 2 && l.Step.Hints[1].Commands[0] == "echo call > note.txt"
	})
	f.write("call\n")
	page.see("the next step by itself", func(l *lessonModel) bool {
		return l.Position == 1 && l.Before != nil && l.Before.Why[0] == "What is written down, others can read." && l.Step.Looks && len(l.Step.Hints) == 0
	})
	if code := f.ask("solve"); code != http.StatusOK { // also a step that only looks can be run
		t.Errorf("status %d", code)
	}
	page.see("what was run", func(l *lessonModel) bool { return l.Position == 2 && strings.Contains(l.Output, "call") })
	f.must("solve")
	page.see("the end", func(l *lessonModel) bool { return l.Position == 3 && l.Step == nil && l.Busy == "" })
	f.must("back")
	page.see("the last step", func(l *lessonModel) bool { return l.Position == 2 && l.Busy == "" && len(l.Step.Result) == 1 })
	if raw, _ := os.ReadFile(filepath.Join(f.dir, "note.txt")); strings.Contains(string(raw), "Ann") {
		t.Error("the step is not undone")
	}
	f.must("back")
	page.see("the step before", func(l *lessonModel) bool { return l.Position == 1 && l.Busy == "" })

	// Another process goes on, as `fluxdemo solve` in a terminal does. This step only looks: nothing is tried meanwhile.
	other := f.open()
	if err := other.Do(t.Context(), walk.Command{Action: walk.ActionNext}, nil); err != nil {
		t.Fatal(err)
	}
	page.see("what the other process did", func(l *lessonModel) bool { return l.Position == 2 })
	if err := other.Do(t.Context(), walk.Command{Action: walk.ActionNext}, nil); err != nil {
		t.Fatal(err)
	}
	page.see("the end again", func(l *lessonModel) bool { return l.Position == 3 })
	f.must("end")
	page.see("that it has ended", func(l *lessonModel) bool {
		return l.Ended && l.Step == nil && l.Position == 3 && l.Busy == "" && l.Trouble == ""
	})
	if left, _ := os.ReadDir(f.dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if code := f.ask("dance"); code != http.StatusBadRequest {
		t.Errorf("an unknown command: status %d", code)
	}
}

// inFleet is a session that moves the fleet when it goes back.
type inFleet struct{ Session }

func (inFleet) HasFleet() bool { return true }

// moved is a session whose fleet another walk has moved.
type moved struct{ inFleet }

func (moved) Rejoined() bool { return true }

// TestMoved says how a clone follows a fleet that had moved and is restored.
func TestMoved(t *testing.T) {
	f := serveNote(t, func(o *Options) { o.Session = moved{inFleet{o.Session}} })
	f.follow().see("what to do", func(l *lessonModel) bool {
		return l.Ready && strings.HasPrefix(l.Note, walk.FleetRestored) && l.Follow == walk.CloneFollows
	})
}

// TestReset undoes what was done wrong, and says what that means for a clone until the step is done.
func TestReset(t *testing.T) {
	f := serveNote(t, func(o *Options) { o.Session = inFleet{o.Session} })
	page := f.follow()
	page.see("the results", func(l *lessonModel) bool { return l.Step != nil && len(l.Step.Result) == 2 })
	f.write("")
	f.must("reset")
	page.see("that it is undone", func(l *lessonModel) bool {
		left, err := os.ReadDir(f.dir)
		return err == nil && len(left) == 0 && l.Busy == "" && l.Position == 0 && l.Trouble == "" &&
			strings.Contains(l.Note, "Update your clone") && l.Follow == "git fetch && git reset --hard origin/main"
	})
	f.write("mine\n")
	page.see("the next step without the note", func(l *lessonModel) bool { return l.Position == 1 && l.Note == "" })
}

// TestGone has the progress removed under the page, as `fluxdemo reset` does.
func TestGone(t *testing.T) {
	f := serveNote(t)
	page := f.follow()
	page.see("the results", func(l *lessonModel) bool { return l.Step != nil && len(l.Step.Result) == 2 })
	if err := os.RemoveAll(filepath.Dir(f.o.File)); err != nil {
		t.Fatal(err)
	}
	page.see("what to do", func(l *lessonModel) bool { return strings.Contains(l.Trouble, "start it again") })
}

// TestAccess reaches nothing without the token.
func TestAccess(t *testing.T) {
	f := serveNote(t)
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "", 200}, {"GET", "app/learn.js", 200}, {"GET", "app/..%2flearn.html", 401},
		{"GET", "api/events", 401}, {"GET", "api/terminal", 401}, {"GET", "api/detail", 401}, {"GET", "app/../api/detail", 401},
		{"GET", "none", 401}, {"POST", "api/command", 401}, {"POST", "", 401}, {"HEAD", "api/terminal", 401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, f.url+c.path, strings.NewReader(`{"command":"solve"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s /%s: status %d, want %d", c.method, c.path, resp.StatusCode, c.want)
		}
	}
	// A browser cannot leave Origin out.
	own, good := strings.TrimSuffix(f.url, "/"), "fluxdemo.token."+f.Token()
	for _, c := range []struct {
		origin    string
		protocols []string
	}{{"http://evil.example", []string{protocol, good}}, {"http://127.0.0.1:1", []string{protocol, good}}, {own, []string{protocol}}, {own, []string{protocol, good + "x"}}, {own, nil}} {
		conn, resp, err := websocket.Dial(t.Context(), strings.Replace(f.url, "http", "ws", 1)+"api/terminal", &websocket.DialOptions{
			Subprotocols: c.protocols, HTTPHeader: http.Header{"Origin": {c.origin}},
		})
		if err == nil {
			_ = conn.CloseNow()
			t.Errorf("from %s with %v it is let in", c.origin, c.protocols)
		} else if resp == nil || resp.StatusCode < 400 {
			t.Errorf("from %s: %v", c.origin, err)
		}
	}
}

// TestNoTerminal serves a page without a terminal.
func TestNoTerminal(t *testing.T) {
	f := serveNote(t, func(o *Options) { o.Shell, o.First = nil, []string{"cd there"} })
	f.follow().see("what to type first", func(l *lessonModel) bool { return !l.Terminal && len(l.First) == 1 })
	_, resp, err := websocket.Dial(t.Context(), strings.Replace(f.url, "http", "ws", 1)+"api/terminal", &websocket.DialOptions{
		Subprotocols: []string{protocol, "fluxdemo.token." + f.Token()},
	})
	if err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("there is a terminal: %v", err)
	}
}

// TestLoopback refuses to listen elsewhere.
func TestLoopback(t *testing.T) {
	f := serveNote(t)
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s, err := New(Options{Session: f.open()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "only on loopback") {
		t.Errorf("got %v", err)
	}
}
