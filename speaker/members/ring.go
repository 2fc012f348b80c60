package members

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// A ring rotates keys: a new one is accepted at once, used after a while, and
// the others are forgotten a while after that. Its owner says what time it is.
type ring struct {
	keys *memberlist.Keyring
	pace pace

	used, wanted key
	useAt        time.Time // zero: wanted is used
	forgetAt     time.Time // zero: there is nothing to forget
}

// newRing returns a ring that uses k.
func newRing(k key, p pace) *ring {
	keys, err := memberlist.NewKeyring(nil, k[:])
	must(err)
	return &ring{keys: keys, pace: p, used: k, wanted: k}
}

// advance does what is due, given the key that is wanted. It returns when there
// is more to do, zero for never, and whether another key is used from now on.
func (r *ring) advance(now time.Time, want key) (next time.Time, used bool) {
	if want != r.wanted {
		r.want(want, now)
	}
	if !r.useAt.IsZero() && !now.Before(r.useAt) {
		k := r.wanted // the keyring keeps the slice
		must(r.keys.UseKey(k[:]))
		r.used, r.useAt, used = r.wanted, time.Time{}, true
		r.forgetAt = now.Add(r.pace.forget)
	}
	if r.useAt.IsZero() && !r.forgetAt.IsZero() && !now.Before(r.forgetAt) {
		r.forget()
	}
	if !r.useAt.IsZero() {
		return r.useAt, used
	}
	return r.forgetAt, used
}

// want begins a rotation to k, or ends one when k is used already.
func (r *ring) want(k key, now time.Time) {
	r.wanted = k
	if k == r.used {
		r.useAt, r.forgetAt = time.Time{}, now.Add(r.pace.forget)
		return
	}
	must(r.keys.AddKey(k[:]))
	r.useAt = now.Add(r.pace.use)
}

// forget removes every key but the one that is used, which is the first. It
// begins at the end, because memberlist may be reading the slice and RemoveKey
// moves what comes after the key.
func (r *ring) forget() {
	keys := r.keys.GetKeys()
	for i := len(keys) - 1; i > 0; i-- {
		must(r.keys.RemoveKey(keys[i]))
	}
	r.forgetAt = time.Time{}
}

// must is for what cannot fail with keys of the right size.
func must(err error) {
	if err != nil {
		panic("members: " + err.Error())
	}
}
