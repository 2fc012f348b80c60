package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrNotFound says that there is no lab of that name.
var ErrNotFound = errors.New("no such lab")

// maxIndex is the last index, the third part of the segment's addresses.
const maxIndex = 255

// file is the name of the state file in a lab's directory.
const file = "state.json"

// Root is where labs are kept.
type Root struct {
	// Var holds a directory for each lab, Run one for its sockets.
	Var, Run string
}

// System is where the labs of this machine are.
var System = Root{Var: "/var/lib/lab", Run: "/run/lab"}

// Load reads a lab without locking it. It is ErrNotFound when there is none.
func (r Root) Load(name string) (*Lab, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(r.Var, name, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("lab %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("lab %q: %w", name, err)
	}
	var l Lab
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("lab %q: state file: %w", name, err)
	}
	return &l, nil
}

// List reads every lab, sorted by name.
func (r Root) List() ([]*Lab, error) {
	entries, err := os.ReadDir(r.Var)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var labs []*Lab
	for _, e := range entries {
		if CheckName(e.Name()) != nil {
			continue
		}
		l, err := r.Load(e.Name())
		if errors.Is(err, ErrNotFound) {
			continue // a directory whose lab was never created, or is gone
		}
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	return labs, nil
}

// Store is one lab, locked. Its methods may be called from several goroutines.
type Store struct {
	root Root
	name string
	dir  string
	lock *lock

	mu  sync.Mutex
	lab *Lab // nil when the lab does not exist
}

// Open locks the lab called name, which need not exist. When another program
// holds the lock it calls waiting once, if that is not nil, and waits until ctx
// ends. The caller closes the Store.
func (r Root) Open(ctx context.Context, name string, waiting func()) (*Store, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir := filepath.Join(r.Var, name)
	lk, err := lockDir(ctx, dir, waiting)
	if err != nil {
		return nil, fmt.Errorf("lock lab %q: %w", name, err)
	}
	s := &Store{root: r, name: name, dir: dir, lock: lk}
	s.lab, err = r.Load(name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		lk.release()
		return nil, err
	}
	return s, nil
}

// Close unlocks the lab.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lab == nil {
		// Both only when empty: made by Open for the lock alone, and the last lab.
		_ = os.Remove(s.dir)
		_ = os.Remove(s.root.Var)
	}
	s.lock.release()
}

// Lab returns a copy of the lab as it is now, or nil when it does not exist.
func (s *Store) Lab() *Lab {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lab.clone()
}

// clone copies l, deeply, the way it would come back from its file.
func (l *Lab) clone() *Lab {
	if l == nil {
		return nil
	}
	data, err := json.Marshal(l)
	if err != nil {
		panic("state: marshal lab: " + err.Error())
	}
	out := new(Lab)
	if err := json.Unmarshal(data, out); err != nil {
		panic("state: unmarshal lab: " + err.Error())
	}
	return out
}

// Create makes the lab, in phase Starting and with the hosts that o asks for,
// and gives it the lowest index that no other lab has.
func (s *Store) Create(ctx context.Context, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lab != nil {
		return fmt.Errorf("create lab %q: exists", s.name)
	}
	all, err := lockDir(ctx, s.root.Var, nil)
	if err != nil {
		return fmt.Errorf("lock %s: %w", s.root.Var, err)
	}
	defer all.release()
	index, err := s.root.freeIndex()
	if err != nil {
		return err
	}
	l := &Lab{
		Name: s.name, Index: index, Phase: Starting, Options: o,
		Dir: s.dir, RunDir: filepath.Join(s.root.Run, s.name), Created: time.Now().UTC(),
	}
	l.Hosts = l.planHosts()
	return s.save(l)
}

// freeIndex returns the lowest index that no lab has.
func (r Root) freeIndex() (int, error) {
	labs, err := r.List()
	if err != nil {
		return 0, err
	}
	used := map[int]bool{}
	for _, l := range labs {
		used[l.Index] = true
	}
	for i := 1; i <= maxIndex; i++ {
		if !used[i] {
			return i, nil
		}
	}
	return 0, fmt.Errorf("labs: all %d indexes are taken", maxIndex)
}

// Update changes the lab by f and writes it. When f or the write fails, the
// lab stays as it was.
func (s *Store) Update(f func(*Lab) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lab == nil {
		return fmt.Errorf("lab %q: %w", s.name, ErrNotFound)
	}
	l := s.lab.clone()
	if err := f(l); err != nil {
		return err
	}
	return s.save(l)
}

// save writes l beside the file and renames it into place.
func (s *Store) save(l *Lab) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	part := filepath.Join(s.dir, file+".part")
	if err := os.WriteFile(part, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("save lab %q: %w", l.Name, err)
	}
	if err := os.Rename(part, filepath.Join(s.dir, file)); err != nil {
		return fmt.Errorf("save lab %q: %w", l.Name, err)
	}
	s.lab = l
	return nil
}

// Remove deletes the lab's files, its state last. Everything it started must
// be gone before. The directory itself, which is what is locked, goes in Close.
func (s *Store) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == file {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(s.dir, file)); err != nil {
		return err
	}
	s.lab = nil
	return nil
}
