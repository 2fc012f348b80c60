package members

import (
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/heraldlb/herald/speaker/desired"
	"github.com/heraldlb/herald/speaker/ledger"
)

// A book holds what the speakers have told each other, this one included, and
// what is still to be told. Any goroutine may use it, none for long.
type book struct {
	node string

	mu     sync.Mutex
	ledger ledger.Ledger
	own    ledger.Record // that is in ledger too, made of links and silent
	links  []desired.Link
	silent []string
	// urgent is what has not been sent to all members directly yet, and gossip
	// what is told to some at random; the second mends what the first loses.
	urgent, gossip ledger.Queue
	// echoes are what of this is told to all directly again.
	echoes   echoes
	complete bool // as a Message says it
	merges   int  // states of others that were merged

	claims atomic.Pointer[desired.Claims]
}

// newBook returns a book in which there is a record of the node itself, newer
// than those of its earlier lives.
func newBook(node string) *book {
	b := &book{node: node, own: ledger.Record{Version: uint64(time.Now().UnixNano())}}
	b.gossip.Add(b.renew(), gossipMult)
	return b
}

// renew makes a new record of this node. The book is locked, or nobody else's
// yet.
func (b *book) renew() ledger.News {
	b.own = ledger.NewRecord(b.node, b.own.Version+1, b.links, b.silent)
	return b.ledger.Merge(nil, []ledger.Record{b.own})
}

// nodes returns the nodes of which there is a record. The map must not be
// written to.
func (b *book) nodes() map[string]ledger.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ledger.Records()
}

// drop drops the record of a node.
func (b *book) drop(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger.Drop(node)
}

// settle takes note that all there was to hear at the start has been heard.
func (b *book) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complete = true
}

// tell has news of this speaker's own told to all at once, and several times
// more: to some by gossip, and to all a while later.
func (b *book) tell(n ledger.News, members int) {
	b.urgent.Add(n, 1)
	b.echoes.add(n, time.Now())
	b.spread(n, members)
}

// echo makes urgent what is to be told again by now. It returns how long it is
// until there is more of that; ok is false if there is none.
func (b *book) echo(now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.urgent.Add(b.echoes.take(now, &b.ledger), 1)
	return b.echoes.wait(now)
}

// spread has news told as often as memberlist tells its own.
func (b *book) spread(n ledger.News, members int) {
	b.gossip.Add(n, gossipMult*int(math.Ceil(math.Log10(float64(members+1)))))
}

// gossipMult times the logarithm of their number is how often members tell
// something; each who hears it for the first time does so too.
const gossipMult = 4

// Claims returns the best claim known of each address.
func (l *List) Claims() *desired.Claims { return l.book.claims.Load() }

// Claim takes in claims of this speaker's own, which are in Claims when it
// returns, and tells the others. It does not wait for that, and Changed gets no
// token for it. Those that are worse than what is known change nothing.
func (l *List) Claim(claims []desired.Claim) {
	l.record(func(b *book) ledger.News { return b.ledger.Merge(claims, nil) })
}

// Forget drops the claims of addresses for which keep returns false; the others
// are not told to. It must be called for addresses that are no Service's any
// more alone.
func (l *List) Forget(keep func(netip.Addr) bool) {
	l.record(func(b *book) ledger.News {
		b.ledger.Forget(keep)
		return ledger.News{}
	})
}

// SetLinks tells the others of this node's links; see ledger.Record for which
// of them. Until then nothing is known of them. The slice must not be written
// to any more.
func (l *List) SetLinks(links []desired.Link) {
	if links == nil {
		links = []desired.Link{}
	}
	l.amend(func(b *book) { b.links = links })
}

// SetSilent tells the others which nodes this one finds silent; this one is
// never among them. They are not in Alive any more, here at once and elsewhere
// a moment later, unless what this node says does not count, see
// ledger.Silenced. The slice must not be written to any more.
func (l *List) SetSilent(nodes []string) {
	l.amend(func(b *book) { b.silent = nodes })
}

// amend changes what the record of this node is made of, and makes a new one
// unless it would say the same.
func (l *List) amend(change func(b *book)) {
	l.record(func(b *book) ledger.News {
		change(b)
		if ledger.NewRecord(b.node, 0, b.links, b.silent).Says(b.own) {
			return ledger.News{}
		}
		return b.renew()
	})
	l.refresh()
}

// record changes the book by what this speaker says, and has it told.
func (l *List) record(change func(b *book) ledger.News) {
	members := len(l.Present())
	b := l.book
	b.mu.Lock()
	n := change(b)
	b.tell(n, members)
	l.showClaims()
	b.mu.Unlock()
	if !n.Empty() {
		token(l.urgentC)
	}
}

// showClaims makes the claims in the book, which is locked, what Claims returns.
func (l *List) showClaims() {
	claims := l.book.ledger.Claims()
	l.book.claims.Store(claims)
	l.metrics.claims.Set(float64(claims.Len()))
}
