package logging_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/internal/logging"
)

// capture returns what fn logs at a level and in a format, timestamps blanked.
func capture(t *testing.T, lvl, format string, fn func(l log.Logger)) string {
	t.Helper()
	var buf bytes.Buffer
	l, err := logging.New(&buf, lvl, format)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	fn(l)
	return regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`).ReplaceAllString(buf.String(), "T")
}

func TestNew(t *testing.T) {
	record := func(l log.Logger) {
		_ = level.Debug(l).Log("msg", "no")
		_ = level.Info(l).Log("msg", "address assigned", "ips", "192.0.2.1")
	}
	tests := []struct {
		name, level, format, want string
	}{
		{name: "defaults", want: "level=info ts=T msg=\"address assigned\" ips=192.0.2.1\n"},
		{
			name: "json", level: "info", format: "json",
			want: `{"ips":"192.0.2.1","level":"info","msg":"address assigned","ts":"T"}` + "\n",
		},
		{
			name: "debug", level: "debug", format: "logfmt",
			want: "level=debug ts=T msg=no\nlevel=info ts=T msg=\"address assigned\" ips=192.0.2.1\n",
		},
		{name: "error", level: "error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, capture(t, tt.level, tt.format, record)); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct{ level, format, want string }{
		{"loud", "", `log level "loud": want debug, info, warn or error`},
		{"", "xml", `log format "xml": want logfmt or json`},
	} {
		_, err := logging.New(&bytes.Buffer{}, tt.level, tt.format)
		if err == nil || err.Error() != tt.want {
			t.Errorf("New(%q, %q) = %v, want %s", tt.level, tt.format, err, tt.want)
		}
	}
}

func TestLogr(t *testing.T) {
	got := capture(t, "debug", "logfmt", func(l log.Logger) {
		r := logging.Logr(l).WithName("a").WithName("b").WithValues("k", struct{ X int }{1})
		odd := []any{"odd"}
		r.Info("hello", odd...)
		r.V(1).Info("detail", 7, []string{"x"})
		r.V(2).Info("too much")
		r.Error(errors.New("boom"), "went wrong")
	})
	want := strings.Join([]string{
		`level=debug ts=T k={X:1} msg=hello component=a.b odd=(missing)`,
		`level=debug ts=T k={X:1} msg=detail component=a.b 7=[x]`,
		`level=warn ts=T k={X:1} msg="went wrong" error=boom component=a.b`,
		``,
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestSlog(t *testing.T) {
	got := capture(t, "debug", "logfmt", func(l log.Logger) {
		logging.Slog(l).With("peer", "192.0.2.9").Error("down", "error", errors.New("cease"))
	})
	if want := "level=warn ts=T peer=192.0.2.9 msg=down"; !strings.HasPrefix(got, want) {
		t.Errorf("log = %q, want prefix %q", got, want)
	}
}

func TestStd(t *testing.T) {
	got := capture(t, "debug", "logfmt", func(l log.Logger) {
		s := logging.Std(l)
		s.Printf("[ERR] memberlist: x")
		s.Printf("[WARN] y")
		s.Printf("[DEBUG] z")
		s.Printf("plain [WARN]")
		s.Printf("[half")
	})
	want := strings.Join([]string{
		`level=warn ts=T msg="memberlist: x"`,
		`level=warn ts=T msg=y`,
		`level=debug ts=T msg=z`,
		`level=debug ts=T msg="plain [WARN]"`,
		`level=debug ts=T msg=[half`,
		``,
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
