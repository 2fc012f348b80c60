package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// DefaultRepo is where the project's images live when nothing else was said.
const DefaultRepo = "heraldlb.io"

// App is one of the lab's own programs, packed.
type App struct {
	// Name is the program's name, "pause" or "echo".
	Name string
	// Image is the reference that pods name, repository and tag.
	Image string
	// Tarball is the file that `ctr images import` takes.
	Tarball string
}

// PauseImage is the reference of the sandbox image below repo.
func PauseImage(repo string) string { return repo + "/pause:dev" }

// EchoImage is the reference of the HTTP backend's image below repo.
func EchoImage(repo string) string { return repo + "/echo:dev" }

// apps lists the lab's own programs as they are packed below repo for root.
func apps(root, repo string) []App {
	tar := func(name string) string {
		return Tarball(filepath.Join(root, "build", "images", name), runtime.GOARCH)
	}
	return []App{
		{Name: "pause", Image: PauseImage(repo), Tarball: tar("pause")},
		{Name: "echo", Image: EchoImage(repo), Tarball: tar("echo")},
	}
}

// BuildApps builds and packs pause and echo for this machine's architecture
// below root/build/images, unless what is there is newer than their source and
// carries the right tag. root is the repository's root; repo is DefaultRepo or
// what the user set instead. It returns them, pause first.
func BuildApps(ctx context.Context, root, repo string) ([]App, error) {
	list := apps(root, repo)
	for _, app := range list {
		if err := app.build(ctx, root); err != nil {
			return nil, fmt.Errorf("app %s: %w", app.Name, err)
		}
	}
	return list, nil
}

// build makes the tarball of a when it is missing or stale.
func (a App) build(ctx context.Context, root string) error {
	source := filepath.Join(root, "lab", "apps", a.Name)
	fresh, err := a.fresh(source)
	if err != nil || fresh {
		return err
	}
	dir, err := os.MkdirTemp("", "lab-app-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	bin := filepath.Join(dir, a.Name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", bin, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	set, err := Pack(Spec{
		Name:     a.Image,
		Binaries: map[string]string{runtime.GOARCH: bin},
		User:     "65532:65532",
	})
	if err != nil {
		return err
	}
	return set.WriteTarballs(filepath.Join(root, "build", "images", a.Name))
}

// fresh reports whether the tarball of a is newer than every file of its
// source and names the image that it should.
func (a App) fresh(source string) (bool, error) {
	info, err := os.Stat(a.Tarball)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // build it
	}
	if err != nil {
		return false, err
	}
	newest, err := newestFile(source)
	if err != nil || newest.After(info.ModTime()) {
		return false, err
	}
	m, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(a.Tarball) })
	if err != nil {
		return false, nil //nolint:nilerr // what is damaged is built again
	}
	return len(m) == 1 && len(m[0].RepoTags) == 1 && m[0].RepoTags[0] == a.Image, nil
}

// newestFile returns the time of the last change below dir.
func newestFile(dir string) (time.Time, error) {
	var newest time.Time
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return nil
	})
	return newest, err
}
