package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heraldlb/herald/internal/pause"
)

func TestFor(t *testing.T) {
	tests := []struct {
		name    string
		d, life time.Duration // life is that of ctx
		want    bool
		took    time.Duration
	}{
		{name: "over", d: time.Second, life: time.Hour, want: true, took: time.Second},
		{name: "nothing to wait for", d: -time.Second, life: time.Hour, want: true},
		{name: "ctx ends", d: time.Hour, life: time.Second, took: time.Second},
		{name: "ctx has ended", d: time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.life)
				defer cancel()
				began := time.Now()
				got := pause.For(ctx, tt.d)
				if took := time.Since(began); got != tt.want || took != tt.took {
					t.Errorf("For = %v after %v, want %v after %v", got, took, tt.want, tt.took)
				}
			})
		})
	}
}
