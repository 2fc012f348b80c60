package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/internal/program"
)

func TestParse(t *testing.T) {
	defaults := settings{Settings: program.Settings{
		Namespace: "herald-system", Class: "heraldlb.io/herald", LogLevel: "info", LogFormat: "logfmt",
		MetricsAddress: ":8080", HealthAddress: ":8081",
	}}
	with := func(edit func(*settings)) settings {
		s := defaults
		edit(&s)
		return s
	}
	tests := []struct {
		name string
		env  string
		args []string
		want settings
	}{
		{name: "defaults", want: defaults},
		{name: "environment", env: "lb", want: with(func(s *settings) { s.Namespace = "lb" })},
		{name: "flag before environment", env: "lb", args: []string{"--namespace=x"}, want: with(func(s *settings) { s.Namespace = "x" })},
		{
			name: "all", args: []string{
				"--load-balancer-class=c", "--log-level=debug", "--log-format=json", "--metrics-bind-address=0",
				"--metrics-secure", "--health-bind-address=127.0.0.1:1", "--leader-elect", "--version",
			},
			want: settings{leaderElect: true, Settings: program.Settings{
				Namespace: "herald-system", Class: "c", LogLevel: "debug", LogFormat: "json", MetricsAddress: "0",
				HealthAddress: "127.0.0.1:1", SecureMetrics: true, Version: true,
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("HERALD_NAMESPACE", tt.env)
			got, err := parse(tt.args, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(settings{})); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"stray"}, `argument "stray": flags only`},
		{[]string{"--log-level=loud"}, `log level "loud": want debug, info, warn or error`},
		{[]string{"--no-such-flag"}, "flag provided but not defined"},
	} {
		err := run(t.Context(), tt.args, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("run(%q) = %v, want %q", tt.args, err, tt.want)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-leader-elect") {
		t.Errorf("run(-h) = %v, printed %q", err, out.String())
	}
	out.Reset()
	if err := run(t.Context(), []string{"--version"}, &out); err != nil || out.Len() == 0 {
		t.Errorf("run(--version) = %v, printed %q", err, out.String())
	}
}

func TestIdentity(t *testing.T) {
	t.Setenv("POD_NAME", "controller-1")
	if got := (settings{}).identity(); got != "" {
		t.Errorf("identity %q without election", got)
	}
	if got := (settings{leaderElect: true}).identity(); got != "controller-1" {
		t.Errorf("identity %q, want the pod's name", got)
	}
	t.Setenv("POD_NAME", "")
	a, b := (settings{leaderElect: true}).identity(), (settings{leaderElect: true}).identity()
	if a == b || a == "" {
		t.Errorf("identities %q and %q, want two", a, b)
	}
}
