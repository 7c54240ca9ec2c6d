package conns

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// half is a pipe that ends one direction: the other end reads on.
type half struct{ net.Conn }

func (half) CloseWrite() error { return nil }

// eof is a connection whose client has ended its direction.
type eof struct{ half }

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

func TestSilence(t *testing.T) {
	for name, test := range map[string]struct {
		halfClosed bool
		talk       time.Duration // the pause between what the far end sends; 0: it is silent
		stays      time.Duration
		ends       time.Duration // 0: not
	}{
		"silent":               {stays: silence - time.Second, ends: silence},
		"one side talks":       {talk: silence - time.Second, stays: 3 * silence},
		"half closed, silent":  {halfClosed: true, stays: silenceHalf - time.Second, ends: silenceHalf},
		"half closed, answers": {halfClosed: true, talk: silenceHalf - time.Second, stays: 3 * silenceHalf},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, near := net.Pipe()
				far, pod := net.Pipe()
				var a net.Conn = half{near}
				if test.halfClosed {
					a = eof{half{near}}
				}
				var talking sync.WaitGroup
				defer talking.Wait()
				begin := time.Now()
				joined := make(chan time.Duration, 1)
				go func() {
					Join(t.Context(), a, half{far})
					joined <- time.Since(begin)
				}()
				go func() { // takes what comes
					for buffer := make([]byte, 8); ; {
						if _, err := client.Read(buffer); err != nil {
							return
						}
					}
				}()
				if test.talk > 0 {
					talking.Go(func() {
						for time.Sleep(test.talk); ; time.Sleep(test.talk) {
							if _, err := pod.Write([]byte("x")); err != nil {
								return
							}
						}
					})
				}
				time.Sleep(test.stays)
				synctest.Wait()
				select {
				case <-joined:
					t.Fatal("it has ended too early")
				default:
				}
				if test.ends > 0 {
					if after := <-joined; after != test.ends {
						t.Errorf("it has ended after %s, want %s", after, test.ends)
					}
				}
				client.Close()
				pod.Close()
				if test.ends == 0 {
					<-joined
				}
			})
		})
	}
}
