package probe

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Law: a probe starts at its time, whatever became of those before it.
func TestScheduleIsFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{Every: 10 * time.Millisecond, For: 50 * time.Millisecond, Timeout: 35 * time.Millisecond}
		var n atomic.Int32
		got := schedule(t.Context(), c, func(ctx context.Context) Result {
			if n.Add(1)%2 == 1 {
				<-ctx.Done()
				return Result{Reason: reason(ctx.Err())}
			}
			return Result{Pod: "p"}
		})
		slow := func(at int) Result {
			return Result{At: time.Duration(at) * time.Millisecond, Took: c.Timeout, Reason: "timeout"}
		}
		fast := func(at int) Result { return Result{At: time.Duration(at) * time.Millisecond, Pod: "p"} }
		want := []Result{slow(0), fast(10), slow(20), fast(30), slow(40)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestScheduleEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		defer cancel()
		c := Config{Every: 10 * time.Millisecond, For: time.Hour, Timeout: time.Second}
		var n atomic.Int32
		got := schedule(ctx, c, func(ctx context.Context) Result {
			if n.Add(1) == 3 { // still under way when ctx ends: neither good nor failed
				<-ctx.Done()
				return Result{Reason: reason(ctx.Err())}
			}
			return Result{}
		})
		if diff := cmp.Diff([]Result{{}, {At: 10 * time.Millisecond}}, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestValidate(t *testing.T) {
	good := Config{URL: "http://[fd30::1]:80/", Every: time.Millisecond, For: time.Second, Timeout: time.Second}
	tests := []struct {
		name   string
		change func(*Config)
		ok     bool
	}{
		{name: "good", change: func(*Config) {}, ok: true},
		{name: "no scheme", change: func(c *Config) { c.URL = "10.0.0.1:80" }},
		{name: "no host", change: func(c *Config) { c.URL = "http://" }},
		{name: "another scheme", change: func(c *Config) { c.URL = "ftp://10.0.0.1" }},
		{name: "every", change: func(c *Config) { c.Every = 0 }},
		{name: "for", change: func(c *Config) { c.For = -1 }},
		{name: "timeout", change: func(c *Config) { c.Timeout = 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			if err := c.Validate(); (err == nil) != tt.ok {
				t.Errorf("error = %v, want ok %v", err, tt.ok)
			}
		})
	}
}
