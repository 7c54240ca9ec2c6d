package learn

import (
	"flag"
	"reflect"
	"testing"

	"github.com/fluxdemo/fluxdemo/slides/diagrams"
	"github.com/fluxdemo/fluxdemo/slides/terminal"
	"github.com/fluxdemo/fluxdemo/slides/web/wiretest"
)

var updateWire = flag.Bool("update-wire", false, "write slides/web/src/learn/wire.ts anew")

// TestWire holds the web app's types against those that are sent and read here.
func TestWire(t *testing.T) {
	w := wiretest.New("CommandRequest", "Typed")
	w.Import("../wire", "Diagram", reflect.TypeFor[diagrams.Diagram]())
	w.Import("../wire", "State", reflect.TypeFor[diagrams.State]())
	w.Add("Message", reflect.TypeFor[eventModel]())
	w.Add("Hello", reflect.TypeFor[helloModel]())
	w.Add("Lesson", reflect.TypeFor[lessonModel]())
	w.Add("Link", reflect.TypeFor[Link]())
	w.Add("LessonStep", reflect.TypeFor[stepModel]())
	w.Add("Hint", reflect.TypeFor[hintModel]())
	w.Add("Result", reflect.TypeFor[resultModel]())
	w.Add("Before", reflect.TypeFor[beforeModel]())
	w.Add("CommandRequest", reflect.TypeFor[commandRequest]())
	w.Add("CommandAnswer", reflect.TypeFor[commandAnswer]())
	w.Add("Size", reflect.TypeFor[terminal.Size]())
	w.Add("Piece", reflect.TypeFor[pieceModel]())
	w.Add("Typed", reflect.TypeFor[typedModel]())
	w.Hold(t, "../web/src/learn/wire.ts", "slides/learn", *updateWire)
}
