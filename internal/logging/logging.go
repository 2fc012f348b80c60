package logging

import (
	"fmt"
	"io"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// New returns a logger that writes one record a line to w, each with a UTC
// timestamp. level is debug, info, warn or error; format is logfmt or json;
// empty strings mean info and logfmt. It may be used by several goroutines.
func New(w io.Writer, lvl, format string) (log.Logger, error) {
	var l log.Logger
	switch format {
	case "", "logfmt":
		l = log.NewLogfmtLogger(log.NewSyncWriter(w))
	case "json":
		l = log.NewJSONLogger(log.NewSyncWriter(w))
	default:
		return nil, fmt.Errorf("log format %q: want logfmt or json", format)
	}
	if lvl == "" {
		lvl = "info"
	}
	v, err := level.Parse(lvl)
	if err != nil {
		return nil, fmt.Errorf("log level %q: want debug, info, warn or error", lvl)
	}
	l = level.NewFilter(l, level.Allow(v))
	return log.With(l, "ts", log.TimestampFormat(func() time.Time { return time.Now().UTC() }, time.RFC3339Nano)), nil
}
