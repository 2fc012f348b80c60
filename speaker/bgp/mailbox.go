package bgp

import (
	"context"
	"sync"
)

// A mailbox has room for everything, so that who puts something into it never
// waits: a Router's notify must not block.
type mailbox struct {
	mu    sync.Mutex
	items []func(ctx context.Context, e *engine)
	come  chan struct{} // capacity 1
}

func newMailbox() *mailbox { return &mailbox{come: make(chan struct{}, 1)} }

// put has the owner of the state run a function.
func (m *mailbox) put(run func(ctx context.Context, e *engine)) {
	m.mu.Lock()
	m.items = append(m.items, run)
	m.mu.Unlock()
	token(m.come)
}

// take empties the mailbox.
func (m *mailbox) take() []func(ctx context.Context, e *engine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}
