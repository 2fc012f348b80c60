package herald

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/heraldlb/herald/lab/cluster"
	"github.com/heraldlb/herald/lab/image"
	"github.com/heraldlb/herald/lab/state"
)

// namespace is where Herald runs.
const namespace = "herald-system"

// rolloutTime bounds how long Herald may take to be ready.
const rolloutTime = 3 * time.Minute

// workloads are what must be rolled out.
var workloads = []string{"deployment/controller", "daemonset/speaker"}

// Config is what Install works with.
type Config struct {
	// Lab is the lab to install into; Images does without.
	Lab *state.Lab
	// Root is the repository's root.
	Root string
	// Report is told of progress.
	Report func(format string, args ...any)
}

// Images makes sure that Herald's images are up to date and returns their
// tarballs, which every node needs before Install.
func Images(ctx context.Context, c Config) ([]string, error) {
	c.Report("making Herald's images")
	if err := c.makeImages(ctx); err != nil {
		return nil, err
	}
	return c.images(), nil
}

// Installed returns the tarballs that a node needs which joins a lab that has
// Herald, and nothing for a lab that does not have it.
func Installed(c Config) []string {
	if _, err := os.Stat(record(c.Lab)); err != nil {
		return nil
	}
	return c.images()
}

// Install applies the manifests and waits until all of it is rolled out. It may
// be repeated: pods are replaced when their images have changed.
func Install(ctx context.Context, c Config) error {
	c.Report("applying manifests/install.yaml")
	if err := c.kubectl(ctx, "apply", "-f", filepath.Join(c.Root, "manifests", "install.yaml")); err != nil {
		return err
	}
	if err := c.refresh(ctx); err != nil {
		return err
	}
	for _, w := range workloads {
		c.Report("waiting for %s", w)
		err := c.kubectl(ctx, "--namespace="+namespace, "rollout", "status", w, "--timeout="+rolloutTime.String())
		if err != nil {
			return errors.Join(err, c.why(ctx))
		}
	}
	return nil
}

// images returns the tarballs of Herald's images.
func (c Config) images() []string {
	var out []string
	for _, name := range []string{"controller", "speaker"} {
		out = append(out, image.Tarball(filepath.Join(c.Root, "build", "images", name), runtime.GOARCH))
	}
	return out
}

// makeImages lets make decide what is older than its sources.
func (c Config) makeImages(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "images-local")
	cmd.Dir = c.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make images-local: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// kubectl runs kubectl and returns what it complained of as the error.
func (c Config) kubectl(ctx context.Context, args ...string) error {
	_, err := c.output(ctx, args...)
	return err
}

// output runs kubectl and returns what it printed.
func (c Config) output(ctx context.Context, args ...string) (string, error) {
	bin, err := cluster.Programs(ctx, c.Root, c.Report)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Lab.Kubeconfig())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// why tells what is wrong with pods that are not ready.
func (c Config) why(ctx context.Context) error {
	out, err := c.output(ctx, "--namespace="+namespace, "get", "pods,events")
	if err != nil {
		return err
	}
	return errors.New(strings.TrimSpace(out))
}
