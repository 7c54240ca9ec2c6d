package script

import (
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// commands parses a script, whose first line is the file's first.
func commands(t *testing.T, text string) []Command {
	t.Helper()
	file, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	var all []Command
	for _, stmt := range file.Stmts {
		all = append(all, Command{Stmt: stmt, Line: int(stmt.Pos().Line()), Col: int(stmt.Pos().Col())})
	}
	return all
}

func TestLocal(t *testing.T) {
	for text, want := range map[string]string{
		`test "$(git rev-parse HEAD)" = x`:                             "reads a clone",
		`git ls-remote origin refs/heads/main`:                         "reads a clone",
		`git -C "$WALK_DIR/fleet" push`:                                "reads a clone",
		`cd fleet`:                                                     "goes to a folder",
		`grep -q tomato apps/demo/app/app.env`:                         "reads a file",
		`sed -n 's/a//p' apps/demo/app/app.env`:                        "reads a file",
		`cat app.env | grep x`:                                         "reads a file",
		`test -s notes/note.txt`:                                       "reads a file",
		`[ -f note.txt ]`:                                              "reads a file",
		`wc -l < note.txt`:                                             "reads a file",
		`kubectl apply -f lock.yaml`:                                   "reads a file",
		`git ls-remote "$FLEET_URL" refs/heads/main | cut -f 1`:        "",
		`git ls-remote http://127.0.0.1:30080/fleet.git main`:          "",
		`test -s "$WALK_DIR/notes/note.txt"`:                           "",
		`cd "$WALK_DIR"`:                                               "",
		`cat /etc/hostname`:                                            "",
		`kubectl get pods | grep -q -e Running`:                        "",
		`kubectl get pods | sed -n 's/a//p'`:                           "",
		`test "$a" = tomato`:                                           "",
		`kubectl create -f - <<EOF` + "\nkind: ConfigMap\nEOF":         "",
		`fluxdemo wait page "$APP_URL" --contains tomato --timeout=5s`: "",
	} {
		found := Local(commands(t, text))
		switch {
		case want == "" && len(found) > 0:
			t.Errorf("%s: %v", text, found)
		case want != "" && (len(found) == 0 || !strings.Contains(found[0].Mistake, want)):
			t.Errorf("%s: %v, want %q", text, found, want)
		}
	}
	if found := Local(commands(t, "true\ntrue && cd fleet")); len(found) != 1 || found[0].Line != 2 || found[0].Col != 9 {
		t.Errorf("the place: %+v", found)
	}
}

func TestReads(t *testing.T) {
	for text, want := range map[string]string{
		`echo "$a ${b:-$c}"`:                 "a b c",
		`a=1; echo $a $b`:                    "b",
		`for x in $list; do echo $x; done`:   "list",
		`read -r line; echo $line $? $1 $#`:  "",
		`now=$(date); test "$now" = "$then"`: "then",
		"cat <<EOF\n$text\nEOF":              "text",
	} {
		var names []string
		for _, v := range Reads(commands(t, text)) {
			names = append(names, v.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s reads %q, want %q", text, got, want)
		}
	}
}

func TestOnlyFiles(t *testing.T) {
	for text, want := range map[string]bool{
		"sed s/a/b/ x > y\nmv y x\ngit commit -a -m x\ngit push":                true,
		"kubectl create configmap a --dry-run=client -o yaml > a.yaml; git add": true,
		"kubectl -n app get pods; flux get all; fluxdemo wait page x":           true,
		"git push; flux suspend kustomization apps":                             false,
		"git push; kubectl -n app scale deployment app --replicas=3":            false,
		"kubectl create configmap a":                                            false,
		"fluxdemo shard add x":                                                  false,
		"curl -X POST http://127.0.0.1":                                         false,
	} {
		if got := OnlyFiles(commands(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestClones(t *testing.T) {
	for text, want := range map[string]bool{
		`git clone "$FLEET_URL" fleet`:    true,
		`git clone -q "$FLEET_URL" fleet`: true,
		`git clone -q "$FLEET_URL" start`: false,
		`git clone "$FLEET_URL"`:          false,
		`git -C fleet pull`:               false,
	} {
		if got := Clones(commands(t, text), "fleet"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
