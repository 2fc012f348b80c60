package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the only time that an image knows.
var epoch = time.Unix(0, 0).UTC()

// Spec says what to pack.
type Spec struct {
	// Name is the image's reference with its tag. The last part of its
	// repository is the program's name in the image.
	Name string
	// Binaries are the paths of the program's file by architecture (GOARCH).
	Binaries map[string]string
	// User is the user and group the program runs as, "65532:65532"; empty
	// means root.
	User string
	// Labels are the image's labels; nil means none.
	Labels map[string]string
}

// Set is one program's images, one for each architecture.
type Set struct {
	tag    name.Tag
	images map[string]v1.Image
	index  v1.ImageIndex
}

// Pack reads the binaries of spec and makes their images.
func Pack(spec Spec) (*Set, error) {
	tag, err := name.NewTag(spec.Name, name.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("image name: %w", err)
	}
	if len(spec.Binaries) == 0 {
		return nil, fmt.Errorf("image %s: no binaries", spec.Name)
	}
	s := &Set{tag: tag, images: map[string]v1.Image{}}
	s.index = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range slices.Sorted(maps.Keys(spec.Binaries)) {
		img, err := packOne(spec, path.Base(tag.RepositoryStr()), arch)
		if err != nil {
			return nil, fmt.Errorf("image %s, %s: %w", spec.Name, arch, err)
		}
		s.images[arch] = img
		s.index = mutate.AppendManifests(s.index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return s, nil
}

// Architectures returns the architectures of s, sorted.
func (s *Set) Architectures() []string { return slices.Sorted(maps.Keys(s.images)) }

// Digest returns the digest of the image for arch.
func (s *Set) Digest(arch string) (string, error) {
	img, ok := s.images[arch]
	if !ok {
		return "", fmt.Errorf("image %s: no architecture %q", s.tag, arch)
	}
	d, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("digest of %s, %s: %w", s.tag, arch, err)
	}
	return d.String(), nil
}

// IndexDigest returns the digest of the index over all architectures.
func (s *Set) IndexDigest() (string, error) {
	d, err := s.index.Digest()
	if err != nil {
		return "", fmt.Errorf("digest of %s: %w", s.tag, err)
	}
	return d.String(), nil
}

// packOne makes the image of one architecture.
func packOne(spec Spec, program, arch string) (v1.Image, error) {
	layer, err := programLayer(program, spec.Binaries[arch])
	if err != nil {
		return nil, err
	}
	base := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	base = mutate.ConfigMediaType(base, types.OCIConfigJSON)
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCILayer,
		History:   v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "COPY " + program + " /" + program},
	})
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture = "linux", arch
	cf.Created = v1.Time{Time: epoch}
	cf.Config.Entrypoint = []string{"/" + program}
	cf.Config.User = spec.User
	cf.Config.WorkingDir = "/"
	cf.Config.Labels = spec.Labels
	return mutate.ConfigFile(img, cf)
}

// programLayer returns a layer that holds the file at from as /program.
func programLayer(program, from string) (v1.Layer, error) {
	data, err := os.ReadFile(from)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	if !bytes.HasPrefix(data, []byte("\x7fELF")) {
		return nil, fmt.Errorf("program %s: not a Linux binary", from)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(program, "/"),
		Mode: 0o755, Size: int64(len(data)), ModTime: epoch, Format: tar.FormatUSTAR,
	})
	_, werr := w.Write(data)
	if err := errors.Join(err, werr, w.Close()); err != nil {
		return nil, fmt.Errorf("layer of %s: %w", from, err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("layer of %s: %w", from, err)
	}
	return layer, nil
}
