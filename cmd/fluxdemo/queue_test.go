package main

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// longest are the tests that take minutes, in the order in which they begin:
// one that begins late would run alone at the end. The others follow, in any
// order. `make test` prints the slowest, which belong here.
func longest() []string {
	return []string{"TestHostileTogether", "TestLearn/sharding", "TestBystanders", "TestHostileAlone", "TestBenchSharding", "TestLearn",
		"TestLeftBehind", "TestWalkSession", "TestHealDuringWalk", "TestRewrittenHistory"}
}

// queue decides which tests use clusters, and when: as many at a time as it
// has places, because mostly they wait.
type queue struct {
	places int

	mu      sync.Mutex
	free    int
	waiting []*turn
	inside  map[string]bool // names of the tests that have a place
}

// turn is a test that waits for places.
type turn struct {
	rank  int // the lower, the sooner
	takes int // places
	come  chan struct{}
}

func newQueue(places int) *queue {
	return &queue{places: places, free: places, inside: map[string]bool{}}
}

// enter waits until the test may use clusters, and gives its place back when
// the test ends. One that has been let in, or part of one that has, may go on
// at once. A test enters alone, with nothing beside it, where it compares when
// things are seen: what several watches bring has no order among them, and on
// a machine that is busy they drift apart.
func (q *queue) enter(t *testing.T, alone bool) {
	t.Helper()
	if q.has(t.Name()) {
		return
	}
	t.Parallel()
	w := &turn{rank: rank(t.Name(), alone), takes: 1, come: make(chan struct{})}
	if alone {
		w.takes = q.places
	}
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	slices.SortStableFunc(q.waiting, func(a, b *turn) int { return cmp.Compare(a.rank, b.rank) })
	q.next()
	q.mu.Unlock()
	<-w.come
	q.mu.Lock()
	q.inside[t.Name()] = true
	q.mu.Unlock()
	t.Cleanup(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.inside, t.Name())
		q.free += w.takes
		q.next()
	})
	t.Log("its turn has come") // hack/slowest counts from here
}

// has tells whether a test, or one that it is part of, has a place.
func (q *queue) has(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.inside[name] {
			return true
		}
		slash := strings.LastIndex(name, "/")
		if slash < 0 {
			return false
		}
		name = name[:slash]
	}
}

// next lets in who is first in the queue, as long as there is room for it: nobody overtakes a test that wants all places.
func (q *queue) next() {
	for len(q.waiting) > 0 && q.waiting[0].takes <= q.free {
		w := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.free -= w.takes
		close(w.come)
	}
}

// rank is a test's place in the queue. Those that want the machine for themselves come last, when nothing runs anyway.
func rank(name string, alone bool) int {
	order := longest()
	if alone {
		return len(order) + 1
	}
	for i, long := range order {
		if name == long || strings.HasPrefix(name, long+"/") {
			return i
		}
	}
	return len(order)
}
