package main

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"strings"
	"testing"

	"github.com/heraldlb/herald/internal/program"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want settings // Namespace, Class, node, gossipAddress and gossipPort are compared
		err  string   // a part of the error
	}{
		{
			name: "from the pod's environment",
			env:  map[string]string{"NODE_NAME": "n1", "HOST_IP": "192.0.2.1", "HERALD_NAMESPACE": "lb"},
			want: settings{
				Settings: program.Settings{Namespace: "lb", Class: "heraldlb.io/herald"}, node: "n1",
				gossipAddress: netip.MustParseAddr("192.0.2.1"), gossipPort: 7946,
			},
		},
		{
			name: "flags come before it",
			env:  map[string]string{"NODE_NAME": "n1", "HOST_IP": "192.0.2.1"},
			args: []string{
				"--node-name=n2", "--load-balancer-class", "x", "--memberlist-bind-address=2001:db8::1",
				"--memberlist-bind-port=7000",
			},
			want: settings{
				Settings: program.Settings{Namespace: "herald-system", Class: "x"}, node: "n2",
				gossipAddress: netip.MustParseAddr("2001:db8::1"), gossipPort: 7000,
			},
		},
		{
			name: "POD_IP will do",
			env:  map[string]string{"NODE_NAME": "n1", "POD_IP": "::ffff:192.0.2.1"},
			want: settings{
				Settings: program.Settings{Namespace: "herald-system", Class: "heraldlb.io/herald"}, node: "n1",
				gossipAddress: netip.MustParseAddr("192.0.2.1"), gossipPort: 7946,
			},
		},
		{name: "no node", env: map[string]string{"HOST_IP": "192.0.2.1"}, err: "node-name"},
		{name: "no address", env: map[string]string{"NODE_NAME": "n1"}, err: "memberlist-bind-address"},
		{
			name: "no such port", env: map[string]string{"NODE_NAME": "n1", "HOST_IP": "192.0.2.1"},
			args: []string{"--memberlist-bind-port=0"}, err: "memberlist-bind-port 0",
		},
		{
			name: "no such profile", env: map[string]string{"NODE_NAME": "n1", "HOST_IP": "192.0.2.1"},
			args: []string{"--memberlist-profile=fast"}, err: `memberlist-profile: profile "fast"`,
		},
		{
			name: "no time between packets", env: map[string]string{"NODE_NAME": "n1", "HOST_IP": "192.0.2.1"},
			args: []string{"--failure-detection-interval=1ms"}, err: "failure-detection-interval 1ms",
		},
		{
			name: "no packet may be missed", env: map[string]string{"NODE_NAME": "n1", "HOST_IP": "192.0.2.1"},
			args: []string{"--failure-detection-multiplier=1"}, err: "failure-detection-multiplier 1",
		},
		{name: "an argument", args: []string{"now"}, err: `argument "now"`},
		{name: "no such flag", args: []string{"--x"}, err: "not defined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"NODE_NAME", "HOST_IP", "POD_IP", "HERALD_NAMESPACE"} {
				t.Setenv(name, tt.env[name])
			}
			got, err := parse(tt.args, &bytes.Buffer{})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error = %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got = settings{
				Settings: program.Settings{Namespace: got.Namespace, Class: got.Class}, node: got.node,
				gossipAddress: got.gossipAddress, gossipPort: got.gossipPort,
			}
			if got != tt.want {
				t.Errorf("settings = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "memberlist-label") {
		t.Errorf("error = %v, output:\n%s", err, out.String())
	}
	out.Reset()
	if err := run(t.Context(), []string{"-version"}, &out); err != nil || out.Len() == 0 {
		t.Errorf("error = %v, output: %s", err, out.String())
	}
}
