package image

import (
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// refName is the annotation by which tools find an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// Tarball returns where the tarball of one architecture is for a prefix that
// was given to Write.
func Tarball(prefix, arch string) string { return prefix + "-" + arch + ".tar" }

// Write leaves prefix-ARCH.tar for each architecture and the OCI layout in the
// directory prefix. What was there is replaced whole or not at all.
func (s *Set) Write(prefix string) error {
	if err := s.WriteTarballs(prefix); err != nil {
		return err
	}
	return s.writeLayout(prefix)
}

// WriteTarballs leaves prefix-ARCH.tar for each architecture.
func (s *Set) WriteTarballs(prefix string) error {
	if err := os.MkdirAll(filepath.Dir(prefix), 0o755); err != nil {
		return err
	}
	for _, arch := range s.Architectures() {
		to := Tarball(prefix, arch)
		if err := tarball.WriteToFile(to+".part", s.tag, s.images[arch]); err != nil {
			return fmt.Errorf("write %s: %w", to, err)
		}
		if err := os.Rename(to+".part", to); err != nil {
			return err
		}
	}
	return nil
}

// writeLayout leaves the OCI layout in the directory dir. The layout names one
// thing, the index over all architectures, so that a push of it pushes all.
func (s *Set) writeLayout(dir string) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	digest, err := s.index.Digest()
	if err != nil {
		return err
	}
	outer := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add:        s.index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{refName: s.tag.TagStr()}},
	})
	if _, err := layout.Write(part, outer); err != nil {
		return fmt.Errorf("write layout %s of %s: %w", dir, digest, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(part, dir)
}
