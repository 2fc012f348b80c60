package logging

import (
	stdlog "log"
	"strings"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// Std returns a standard logger whose lines become records of l. A level in
// brackets at the start of a line, as in "[WARN] text", is understood; by the
// rule of Logr errors become warnings, and all else debug.
func Std(l log.Logger) *stdlog.Logger { return stdlog.New(lines{l: l}, "", 0) }

// lines is the io.Writer behind Std; it gets one line a call.
type lines struct{ l log.Logger }

// Write implements io.Writer and never fails.
func (w lines) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	lvl := level.Debug
	if word, rest, ok := bracketed(text); ok {
		text = rest
		if word == "WARN" || strings.HasPrefix(word, "ERR") {
			lvl = level.Warn
		}
	}
	_ = lvl(w.l).Log("msg", text)
	return len(p), nil
}

// bracketed splits "[WORD] rest".
func bracketed(s string) (word, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "[")
	if !ok {
		return "", "", false
	}
	word, rest, ok = strings.Cut(s, "]")
	return word, strings.TrimSpace(rest), ok
}
