package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run runs the program with args and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	err := cmd.Execute()
	return out.String(), err
}

func TestPack(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.WriteFile(bin, []byte("\x7fELF"), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed [2]string
	for i := range printed {
		prefix := filepath.Join(dir, "images", "speaker")
		out, err := run(t, "--name", "heraldlb.io/speaker:dev", "--user", "0:0", "--label", "a=b",
			"--binary", "arm64="+bin, "--binary", "amd64="+bin, "--out", prefix)
		if err != nil {
			t.Fatal(err)
		}
		printed[i] = out
		var files []string
		for line := range strings.Lines(out) {
			digest, file, _ := strings.Cut(strings.TrimSpace(line), " ")
			if !strings.HasPrefix(digest, "sha256:") {
				t.Errorf("line %q: no digest", line)
			}
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
			files = append(files, strings.TrimPrefix(file, prefix))
		}
		if diff := cmp.Diff([]string{"", "-amd64.tar", "-arm64.tar"}, files); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(printed[0], printed[1]); diff != "" {
		t.Errorf("second run (-first +second):\n%s", diff)
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{name: "nothing", want: "required flag"},
		{name: "an argument", args: []string{"x"}, want: "unknown command"},
		{name: "no such file", args: []string{"--name=heraldlb.io/a:b", "--out=x", "--binary=amd64=/nonexistent"}, want: "read program"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := run(t, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}
