package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a lock that someone else holds is tried.
const lockPoll = 100 * time.Millisecond

// lock is an advisory lock on a directory. The kernel drops it when its holder
// dies, however it dies.
type lock struct{ f *os.File }

// lockDir makes dir if need be and locks it. It calls waiting once, if not
// nil, when the lock is taken, and gives up when ctx ends.
func lockDir(ctx context.Context, dir string, waiting func()) (*lock, error) {
	for {
		lk, err := tryLock(dir)
		if err == nil {
			return lk, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, errReplaced) {
			return nil, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// errReplaced says that the directory was deleted between open and lock.
var errReplaced = errors.New("directory replaced")

func tryLock(dir string) (*lock, error) {
	err := os.MkdirAll(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errReplaced // its parent was deleted meanwhile
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errReplaced
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	held, err := f.Stat()
	if err != nil {
		_ = f.Close() // only read
		return nil, err
	}
	now, err := os.Stat(dir)
	if err != nil || !os.SameFile(held, now) {
		_ = f.Close() // only read
		return nil, errReplaced
	}
	return &lock{f: f}, nil
}

// release unlocks the directory.
func (l *lock) release() { _ = l.f.Close() }
