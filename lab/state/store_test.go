package state_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/state"
)

// What is written is read, whole.
func TestStoreRoundTrip(t *testing.T) {
	s, root := create(t, "one", options(func(o *state.Options) { o.Family = state.Dual }))
	p := state.Process{Host: "node1", Name: "kubelet", Args: []string{"kubelet", "--x"}, Log: "/l", PID: 7, Born: 1 << 60}
	err := s.Update(func(l *state.Lab) error {
		l.SetProcess(state.Process{Host: "node1", Name: "kubelet"})
		l.SetProcess(p)
		l.Phase = state.Running
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := root.Load("one")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Lab(), got, addresses); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]state.Process{p}, got.Processes); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
}

// A failed update changes nothing, in memory or in the file.
func TestUpdateFails(t *testing.T) {
	s, root := create(t, "one", options(nil))
	want := s.Lab()
	failure := errors.New("no")
	err := s.Update(func(l *state.Lab) error { l.Hosts = nil; return failure })
	if !errors.Is(err, failure) {
		t.Errorf("got %v, want %v", err, failure)
	}
	loaded, err := root.Load("one")
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []*state.Lab{s.Lab(), loaded} {
		if diff := cmp.Diff(want, got, addresses); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// A lab gets the lowest index that no other has, also when several are made at
// the same time.
func TestIndexes(t *testing.T) {
	dir := t.TempDir()
	root := state.Root{Var: dir, Run: dir}
	names := []string{"a", "b", "c", "d", "e"}
	var wg sync.WaitGroup
	stores := make([]*state.Store, len(names))
	for i, name := range names {
		wg.Go(func() {
			o := options(nil)
			stores[i] = open(t, root, name, &o)
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	for _, s := range stores {
		seen[s.Lab().Index] = true
	}
	if diff := cmp.Diff(map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true}, seen); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}

	gone := stores[2].Lab().Index
	if err := stores[2].Remove(); err != nil {
		t.Fatal(err)
	}
	stores[2].Close()
	o := options(nil)
	if got := open(t, root, "f", &o).Lab().Index; got != gone {
		t.Errorf("index after one went: got %d, want %d", got, gone)
	}
}

// One program at a time has a lab; another waits until it lets go, or gives up.
func TestLock(t *testing.T) {
	first, root := create(t, "one", options(nil))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := root.Open(ctx, "one", cancel)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	first.Close()
	second, err := root.Open(t.Context(), "one", func() { t.Error("waits though nobody has the lock") })
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

// A lab that is gone leaves nothing, and its name can be used again at once.
func TestRemove(t *testing.T) {
	s, root := create(t, "one", options(nil))
	if err := os.MkdirAll(filepath.Join(s.Lab().Dir, "node1", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), options(nil)); err != nil {
		t.Fatalf("create again: %v", err)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := os.Stat(root.Var); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left: %s, %v", root.Var, err)
	}
	if _, err := root.Load("one"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("got %v, want %v", err, state.ErrNotFound)
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"lab": true, "e2e": true, "a123456789": true,
		"": false, "2e": false, "Lab": false, "a-b": false, "a1234567890": false, "../x": false, "a/b": false,
	} {
		if err := state.CheckName(name); (err == nil) != good {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

// A damaged file is an error, not an empty lab that would be made again.
func TestDamagedFile(t *testing.T) {
	s, root := create(t, "one", options(nil))
	if err := os.WriteFile(filepath.Join(s.Lab().Dir, "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := root.Open(t.Context(), "one", nil); err == nil || errors.Is(err, state.ErrNotFound) {
		t.Errorf("got %v, want an error about the file", err)
	}
}
