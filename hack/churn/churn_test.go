package churn

import (
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	stop := Start()
	time.Sleep(50 * time.Millisecond)
	count := stop()
	if count.Connections == 0 || count.Listeners == 0 || stop() != count {
		t.Errorf("%+v, then %+v", count, stop())
	}
}
