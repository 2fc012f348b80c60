package version

import (
	"runtime/debug"
	"sync"
)

// version is set by the linker:
// -X github.com/heraldlb/herald/internal/version.version=v1.2.3.
var version string

// String returns the version of this build: what the linker was told, else
// the revision that the Go toolchain has recorded, else "devel".
func String() string { return resolved() }

// resolved is computed once, because reading the build information is not free.
var resolved = sync.OnceValue(func() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return fromBuild(info)
})

// fromBuild derives a version from the build information.
func fromBuild(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + revision[:min(len(revision), 12)] + modified
}
