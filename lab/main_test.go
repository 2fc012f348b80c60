package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestParseSides(t *testing.T) {
	tests := []struct {
		in   string
		want [][]string
	}{
		{in: "a,b / c", want: [][]string{{"a", "b"}, {"c"}}},
		{in: "a b/c,d/e", want: [][]string{{"a", "b"}, {"c", "d"}, {"e"}}},
		{in: "a, b", want: [][]string{{"a", "b"}}},
		{in: "/ a", want: [][]string{{}, {"a"}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, parseSides(tt.in)); diff != "" {
			t.Errorf("parseSides(%q) (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestParseSignal(t *testing.T) {
	tests := []struct {
		in   string
		want syscall.Signal // 0 means an error
	}{
		{"KILL", syscall.SIGKILL}, {"sigterm", syscall.SIGTERM}, {"9", syscall.SIGKILL}, {"STOP", syscall.SIGSTOP},
		{in: "0"}, {in: "65"}, {in: "-1"}, {in: "NOPE"}, {in: ""},
	}
	for _, tt := range tests {
		got, err := parseSignal(tt.in)
		if got != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("parseSignal(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

// Every verb says what it does and takes the flags that all have.
func TestVerbs(t *testing.T) {
	root := newRoot()
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
		if c.Short == "" {
			t.Errorf("%s: says nothing", c.Name())
		}
		for _, flag := range []string{"name", "json"} {
			if c.InheritedFlags().Lookup(flag) == nil {
				t.Errorf("%s: no flag --%s", c.Name(), flag)
			}
		}
	}
	for _, want := range strings.Fields(
		"up down status kubeconfig kubectl exec cut heal kill start partition join leave probe arping routes router capture images") {
		if _, _, err := root.Find([]string{want}); err != nil {
			t.Errorf("no verb %s among %v", want, names)
		}
	}
}

// What is wrong with a command line is told in one line, and nothing is done.
func TestRefused(t *testing.T) {
	tests := []struct {
		args string
		want string
	}{
		{"status --name Bad", `lab name "Bad"`},
		{"status --name gonelab", `lab "gonelab": no such lab`},
		{"cut node1 --name gonelab", `lab "gonelab": no such lab`},
		{"up --ip-family ipv5", `ip family "ipv5"`},
		{"kill node1 x --signal NOPE --name gonelab", `signal "NOPE"`},
		{"exec client", "requires at least 2 arg"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			err := execute(newRoot(), strings.Fields(tt.args))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func execute(root *cobra.Command, args []string) error {
	root.SetArgs(args)
	return root.Execute()
}

func TestExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 3": 3, "kill -TERM $$": 143} {
		err, ok := exec.Command("sh", "-c", script).Run().(*exec.ExitError) //nolint:errorlint // as main does
		if !ok || exitCode(err) != want {
			t.Errorf("%q: got %v, want %d", script, err, want)
		}
	}
}
