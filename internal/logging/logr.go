package logging

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/go-logr/logr"
)

// maxVerbosity is the highest logr verbosity that is passed on; beyond it
// libraries tell of single requests.
const maxVerbosity = 1

// Logr returns a logr.Logger that writes to l. What a library has to say is
// background to an operator: its information becomes debug, and its errors
// become warnings, because the libraries that log by logr retry by themselves.
func Logr(l log.Logger) logr.Logger { return logr.New(&sink{l: l}) }

// Slog returns a slog.Logger that writes to l by the same rules as Logr.
func Slog(l log.Logger) *slog.Logger { return slog.New(logr.ToSlogHandler(Logr(l))) }

// A sink hands records of logr to go-kit.
type sink struct {
	l    log.Logger
	name string
}

var _ logr.LogSink = (*sink)(nil)

// Init implements logr.LogSink; the call depth is of no use without a caller.
func (s *sink) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink.
func (s *sink) Enabled(v int) bool { return v <= maxVerbosity }

// Info implements logr.LogSink.
func (s *sink) Info(_ int, msg string, kv ...any) {
	_ = level.Debug(s.l).Log(s.record([]any{"msg", msg}, kv)...)
}

// Error implements logr.LogSink.
func (s *sink) Error(err error, msg string, kv ...any) {
	_ = level.Warn(s.l).Log(s.record([]any{"msg", msg, "error", err}, kv)...)
}

// record puts the pairs of a record together; the name goes into it late, so
// that a longer one replaces a shorter one.
func (s *sink) record(head, kv []any) []any {
	if s.name != "" {
		head = append(head, "component", s.name)
	}
	return append(head, printable(kv)...)
}

// WithValues implements logr.LogSink.
func (s *sink) WithValues(kv ...any) logr.LogSink {
	return &sink{l: log.With(s.l, printable(kv)...), name: s.name}
}

// WithName implements logr.LogSink. The names make up the component.
func (s *sink) WithName(name string) logr.LogSink {
	if s.name != "" {
		name = s.name + "." + name
	}
	return &sink{l: s.l, name: name}
}

// printable returns the pairs with every key a string, every value of a kind
// that all formats can encode, and a value for the last key if it lacks one.
func printable(kv []any) []any {
	out := make([]any, 0, len(kv)+1)
	out = append(out, kv...)
	if len(out)%2 != 0 {
		out = append(out, "(missing)")
	}
	for i := 0; i < len(out); i += 2 {
		out[i] = fmt.Sprint(out[i])
		out[i+1] = value(out[i+1])
	}
	return out
}

// value turns what logfmt cannot encode into a string.
func value(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int, int8, int16, int32, int64,
		uint, uint8, uint16, uint32, uint64, float32, float64, time.Duration, error:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case logr.Marshaler:
		return fmt.Sprintf("%+v", v.MarshalLog())
	default:
		return fmt.Sprintf("%+v", v) // uses String where there is one
	}
}
