package members

import (
	stdlog "log"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// Bounds on what memberlist's own log lines become.
const (
	linesInWindow = 10 // records in linesWindow
	linesWindow   = time.Second
	warnInterval  = time.Minute
)

// lines is the io.Writer behind the logger of memberlist. It reports every
// single packet that goes astray, which to an operator is noise; what matters
// is who is alive, and a List logs that itself. So its lines are for debugging,
// and few; but gossip that cannot be decrypted is a mistake that only an
// operator can correct.
type lines struct {
	logger log.Logger

	mu     sync.Mutex
	now    func() time.Time
	window time.Time // when the current one began
	count  int       // of lines in the window
	warned time.Time // zero: never
}

// newLines returns a standard logger whose lines become records of l.
func newLines(l log.Logger) *stdlog.Logger {
	return stdlog.New(&lines{logger: l, now: time.Now}, "", 0)
}

// Write implements io.Writer, by the line, and never fails.
func (w *lines) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	if strings.HasPrefix(text, "[DEBUG]") {
		return len(p), nil // several for every ping and connection
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if undecrypted(text) && (w.warned.IsZero() || now.Sub(w.warned) >= warnInterval) {
		w.warned = now
		level.Warn(w.logger).Log("msg", "gossip cannot be decrypted, is the secret the same everywhere?", "reason", text)
		return len(p), nil
	}
	if now.Sub(w.window) >= linesWindow {
		w.window, w.count = now, 0
	}
	w.count++
	if w.count <= linesInWindow {
		level.Debug(w.logger).Log("msg", "gossip", "reason", text)
	}
	return len(p), nil
}

// undecrypted reports whether a line of memberlist tells of a message that no
// key fits.
func undecrypted(text string) bool {
	return strings.Contains(text, "Decrypt packet failed") || strings.Contains(text, "could decrypt the message")
}
