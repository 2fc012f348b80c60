package image_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/heraldlb/herald/lab/image"
)

const name = "heraldlb.io/speaker:dev"

// program writes a file that looks like a Linux program and returns its path.
func program(t *testing.T, content string, mode os.FileMode, mtime time.Time) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "bin")
	if err := os.WriteFile(p, []byte("\x7fELF"+content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(p, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	return p
}

// files returns every file below dir by its path in dir.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		out[p], err = fs.ReadFile(root, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Law: the same program bytes give the same files, byte for byte, whatever the
// time, mode and path of the files they came from.
func TestPackReproducible(t *testing.T) {
	out := make([]map[string][]byte, 2)
	for i, mode := range []os.FileMode{0o755, 0o600} {
		mtime := time.Unix(1_700_000_000+int64(i)*1000, 0)
		set, err := image.Pack(image.Spec{
			Name: name,
			User: "65532:65532",
			Binaries: map[string]string{
				"amd64": program(t, "x86", mode, mtime),
				"arm64": program(t, "arm", mode, mtime),
			},
			Labels: map[string]string{"a": "1", "b": "2"},
		})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := set.Write(filepath.Join(dir, "speaker")); err != nil {
			t.Fatal(err)
		}
		// A second Write replaces the first.
		if err := set.Write(filepath.Join(dir, "speaker")); err != nil {
			t.Fatal(err)
		}
		out[i] = files(t, dir)
	}
	if diff := cmp.Diff(out[0], out[1]); diff != "" {
		t.Errorf("second build (-first +second):\n%s", diff)
	}
	for _, want := range []string{"speaker-amd64.tar", "speaker-arm64.tar", "speaker/index.json", "speaker/oci-layout"} {
		if _, ok := out[0][want]; !ok {
			t.Errorf("no file %s", want)
		}
	}
}

func TestWrite(t *testing.T) {
	mtime := time.Unix(1_700_000_000, 0)
	set, err := image.Pack(image.Spec{
		Name: name,
		User: "0:0",
		Binaries: map[string]string{
			"amd64": program(t, "x86", 0o755, mtime),
			"arm64": program(t, "arm", 0o755, mtime),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(t.TempDir(), "speaker")
	if err := set.Write(prefix); err != nil {
		t.Fatal(err)
	}

	img, err := tarball.ImageFromPath(image.Tarball(prefix, "arm64"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{cf.OS, cf.Architecture, cf.Config.User, strings.Join(cf.Config.Entrypoint, " ")}
	if diff := cmp.Diff([]string{"linux", "arm64", "0:0", "/speaker"}, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}

	outer, err := layout.ImageIndexFromPath(prefix)
	if err != nil {
		t.Fatal(err)
	}
	m, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Manifests) != 1 {
		t.Fatalf("layout names %d things, want 1", len(m.Manifests))
	}
	want, err := set.IndexDigest()
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Manifests[0].Digest.String(); d != want {
		t.Errorf("layout names %s, want %s", d, want)
	}
	inner, err := outer.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	im, err := inner.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var archs []string
	for _, d := range im.Manifests {
		archs = append(archs, d.Platform.OS+"/"+d.Platform.Architecture)
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, archs); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

func TestPackErrors(t *testing.T) {
	good := program(t, "x86", 0o755, time.Unix(0, 0))
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spec image.Spec
		want string
	}{
		{name: "no tag", spec: image.Spec{Name: "heraldlb.io/speaker", Binaries: map[string]string{"amd64": good}}, want: "image name"},
		{name: "no binaries", spec: image.Spec{Name: name}, want: "no binaries"},
		{name: "missing file", spec: image.Spec{Name: name, Binaries: map[string]string{"amd64": good + "x"}}, want: "read program"},
		{name: "not a program", spec: image.Spec{Name: name, Binaries: map[string]string{"amd64": script}}, want: "not a Linux binary"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := image.Pack(tt.spec)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}
