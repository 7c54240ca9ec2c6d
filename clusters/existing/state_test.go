package existing

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/folder"
)

// usersKubeconfig has the context of the guest, and another one.
const usersKubeconfig = `apiVersion: v1
kind: Config
current-context: other
clusters:
- name: theirs
  cluster: {server: https://127.0.0.1:1}
contexts:
- name: guest
  context: {cluster: theirs, user: me}
- name: other
  context: {cluster: theirs, user: me}
users:
- name: me
  user: {token: secret}
`

// newGuest returns a guest that has entered.
func newGuest(t *testing.T) *Cluster {
	t.Helper()
	dir := t.TempDir()
	users := filepath.Join(dir, "users-kubeconfig")
	if err := os.WriteFile(users, []byte(usersKubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New("guest", Options{StateDir: filepath.Join(dir, "state"), Kubeconfig: users, Context: "guest"})
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.target()
	if err == nil {
		err = errors.Join(c.folder.Claim(), target.write(c.Kubeconfig()), settings{Context: "guest", Server: target.Server}.save(c.dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cuts calls try with each damaged content of a file, and puts it back.
func cuts(t *testing.T, path string, try func(what string, whole bool)) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := [][]byte{[]byte("\x00\x01garbage"), make([]byte, len(content)), []byte("null\n"), []byte("{}\n")}
	for cut := range len(content) + 1 {
		all = append(all, content[:cut])
	}
	for _, damaged := range all {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		try(string(damaged), string(damaged) == string(content))
	}
}

// TestSettingsTorn cuts existing.json at every length. What cannot be read is
// said, and a part of the demo that may be another's is taken for one.
func TestSettingsTorn(t *testing.T) {
	c := newGuest(t)
	cuts(t, settingsFile(c.dir), func(what string, whole bool) {
		_, err := loadSettings(c.dir)
		if whole != (err == nil) || err != nil && !strings.Contains(err.Error(), "`fluxdemo down --name "+filepath.Base(c.dir)+"` removes the demo") {
			t.Errorf("%q: %v", what, err)
		}
		if c.Adopted() == whole {
			t.Errorf("%q: whether it was adopted is taken for known", what)
		}
		if !c.Entered() || !Has(filepath.Dir(c.dir), "guest") {
			t.Errorf("%q: the demo is forgotten", what)
		}
		if _, err := c.Status(t.Context()); whole != (err == nil) {
			t.Errorf("%q: %v", what, err)
		}
	})
}

// TestBeforeMarks damages the settings of a guest whose folder has no mark:
// what was created tells then whose it is.
func TestBeforeMarks(t *testing.T) {
	c := newGuest(t)
	if err := os.Remove(filepath.Join(c.dir, folder.MarkFile)); err != nil {
		t.Fatal(err)
	}
	inventory := filepath.Join(c.dir, inventoryName)
	cuts(t, settingsFile(c.dir), func(what string, whole bool) {
		if c.folder.Has() != whole {
			t.Errorf("%q: %v", what, c.folder.Has())
		}
		record := `{"apiVersion":"v1","kind":"Namespace","name":"fluxdemo"}` + "\n"
		if err := os.WriteFile(inventory, []byte(record+`{"apiVer`), 0o600); err != nil {
			t.Fatal(err)
		}
		if !c.folder.Has() {
			t.Errorf("%q, with an inventory: the demo is forgotten", what)
		}
		if err := os.Remove(inventory); err != nil {
			t.Fatal(err)
		}
	})
}

// TestKubeconfigTorn cuts the copy of the kubeconfig at every length: it is
// written anew, of the context and server of before.
func TestKubeconfigTorn(t *testing.T) {
	c := newGuest(t)
	c.options.Context = "" // up need not name it again
	made, err := loadSettings(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	cuts(t, c.Kubeconfig(), func(what string, _ bool) {
		if err := c.repairKubeconfig(made); err != nil {
			t.Errorf("%q: %v", what, err)
		}
		if now, err := os.ReadFile(c.Kubeconfig()); err != nil || string(now) != string(want) {
			t.Errorf("%q becomes %q, %v", what, now, err)
		}
	})
	if err := os.WriteFile(c.Kubeconfig(), want[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	made.Server = "https://127.0.0.1:2"
	if err := c.repairKubeconfig(made); err == nil || !strings.Contains(err.Error(), "is damaged") || strings.Contains(err.Error(), "\n") {
		t.Errorf("another server behind the context: %v", err)
	}
	if err := os.Remove(c.options.Kubeconfig); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := c.repairKubeconfig(made); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("without the user's: %v", err)
	}
}

// TestEnterCutOff has a folder that was marked before up was cut off.
func TestEnterCutOff(t *testing.T) {
	c := newGuest(t)
	for _, path := range []string{settingsFile(c.dir), c.Kubeconfig()} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if c.Entered() || c.Adopted() {
		t.Error("it counts as entered")
	}
	if status, err := c.Status(t.Context()); err != nil || status.Running {
		t.Errorf("%+v, %v", status, err)
	}
	if err := c.Down(t.Context(), false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}
