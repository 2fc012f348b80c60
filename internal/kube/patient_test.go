package kube

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/heraldlb/herald/internal/logging"
)

// answers makes a list function that gives one error after the other, and then
// succeeds; asked tells when it was asked.
func answers(asked *[]time.Duration, began time.Time, errs ...error) *toolscache.ListWatch {
	return &toolscache.ListWatch{ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
		*asked = append(*asked, time.Since(began))
		if n := len(*asked); n <= len(errs) {
			return nil, errs[n-1]
		}
		return &corev1.ServiceList{}, nil
	}}
}

func TestPatient(t *testing.T) {
	refused := errors.New("connection refused")
	services := corev1.Resource("services")
	ahead := apierrors.NewTimeoutError("too large resource version", 1)
	ahead.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
	tests := []struct {
		name  string
		errs  []error
		asked int
		fails bool
		logs  int
	}{
		{name: "served", asked: 1},
		{name: "away", errs: []error{refused, refused, refused}, asked: 4, logs: 2},
		{name: "forbidden for now", errs: []error{apierrors.NewForbidden(services, "", refused)}, asked: 2, logs: 2},
		{name: "no such kind yet", errs: []error{apierrors.NewNotFound(services, "")}, asked: 2, logs: 2},
		{name: "starting", errs: []error{apierrors.NewServiceUnavailable("not yet"), apierrors.NewInternalError(refused)}, asked: 3, logs: 2},
		{name: "too old a version", errs: []error{apierrors.NewResourceExpired("old")}, asked: 1, fails: true},
		{name: "too new a version", errs: []error{ahead}, asked: 1, fails: true},
		{name: "too slow", errs: []error{apierrors.NewTimeoutError("slow", 1)}, asked: 2, logs: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []time.Duration
				var buf bytes.Buffer
				l, err := logging.New(&buf, "info", "")
				if err != nil {
					t.Fatal(err)
				}
				p := &patient{lw: answers(&asked, time.Now(), tt.errs...), outage: &outage{logger: l}}
				if _, err := p.listOnce(t.Context(), metav1.ListOptions{}); (err != nil) != tt.fails {
					t.Errorf("list: %v", err)
				}
				if len(asked) != tt.asked {
					t.Errorf("asked %d times, want %d", len(asked), tt.asked)
				}
				for i := 1; i < len(asked); i++ {
					if wait := asked[i] - asked[i-1]; wait > lastRetry {
						t.Errorf("waited %v", wait)
					}
				}
				if got := strings.Count(buf.String(), "\n"); got != tt.logs {
					t.Errorf("%d lines of log, want %d:\n%s", got, tt.logs, buf.String())
				}
			})
		})
	}
}

func TestPatientEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var asked []time.Duration
		var buf bytes.Buffer
		l, err := logging.New(&buf, "", "")
		if err != nil {
			t.Fatal(err)
		}
		always := make([]error, 10000)
		for i := range always {
			always[i] = errors.New("away")
		}
		p := &patient{lw: answers(&asked, time.Now(), always...), outage: &outage{logger: l}}
		if _, err := p.listOnce(ctx, metav1.ListOptions{}); err == nil {
			t.Error("no error though ctx has ended")
		}
		if n := len(asked); n < 1700 || n > 1900 {
			t.Errorf("asked %d times in an hour", n)
		}
	})
}
