package herald

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/heraldlb/herald/lab/state"
)

// refresh replaces Herald's pods when a lab that had them already was given
// other images: their tag is the same, so the manifests do not say so.
func (c Config) refresh(ctx context.Context) error {
	now, err := digest(c.images())
	if err != nil {
		return err
	}
	path := record(c.Lab)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(before) > 0 && string(before) != now {
		c.Report("images have changed: replacing pods")
		for _, w := range workloads {
			if err := c.kubectl(ctx, "--namespace="+namespace, "rollout", "restart", w); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(path, []byte(now), 0o644)
}

// record is where Install notes which images a lab has.
func record(l *state.Lab) string { return l.Path("installed-images") }

// digest returns one digest over all files.
func digest(files []string) (string, error) {
	sum := sha256.New()
	for _, name := range files {
		if err := add(sum, name); err != nil {
			return "", fmt.Errorf("digest: %w", err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// add writes the file called name to w.
func add(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	_, err = io.Copy(w, f)
	return err
}
