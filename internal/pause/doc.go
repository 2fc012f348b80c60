// Package pause waits without outliving a context. Its one law: For returns when
// the time is over or the context has ended, whichever comes first, and says which.
package pause
