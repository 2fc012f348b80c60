package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of this repository, with a trailing slash.
const module = "github.com/heraldlb/herald/"

// The bounds of CONVENTIONS.md, section Shape.
const (
	maxFileLines     = 300
	maxFunctionLines = 45
)

// Groups of imports that several packages share.
var (
	logs = "github.com/go-kit/log/"
	prom = "github.com/prometheus/client_golang/"
	kube = []string{
		"k8s.io/", "sigs.k8s.io/controller-runtime/", logs, prom,
		module + "api/", module + "config/", module + "internal/",
	}
)

// allowed lists the trees that each package may import besides the standard
// library. The pure packages come first; a package with no entry fails.
var allowed = map[string][]string{
	"api/v1beta1":      {"k8s.io/api/core/v1/", "k8s.io/apimachinery/"},
	"config":           {"k8s.io/apimachinery/", module + "api/", module + "internal/iprange/"},
	"ipam":             {module + "internal/heap/", module + "internal/iprange/"},
	"speaker/desired":  {module + "config/"},
	"speaker/ledger":   {module + "speaker/desired/"},
	"internal/diff":    {},
	"internal/heap":    {},
	"internal/iprange": {},

	"controller/assign": slices.Concat(kube, []string{module + "ipam/"}),
	"speaker/watch":     slices.Concat(kube, []string{module + "speaker/desired/"}),
	"speaker/layer2": {
		"github.com/mdlayher/", "github.com/vishvananda/netlink/", "golang.org/x/net/bpf/", "golang.org/x/sys/unix/", logs, prom,
		module + "speaker/desired/", module + "internal/diff/", module + "internal/heap/", module + "internal/owner/",
	},
	"speaker/bgp": {
		"github.com/mdlayher/ndp/", "golang.org/x/net/ipv6/", logs, prom,
		module + "config/", module + "speaker/bfd/", module + "speaker/desired/", module + "internal/diff/", module + "internal/owner/", module + "internal/pause/",
	},
	"speaker/bgp/gobgp": {
		"github.com/osrg/gobgp/v4/", "golang.org/x/sys/unix/",
		module + "config/", module + "speaker/bgp/", module + "speaker/desired/", module + "internal/pause/",
	},
	"speaker/bfd":    {"golang.org/x/sys/unix/", logs, prom, module + "internal/diff/", module + "internal/heap/", module + "internal/owner/"},
	"speaker/sentry": {"github.com/vishvananda/netlink/", "golang.org/x/sys/unix/", logs, prom, module + "speaker/bfd/"},
	"speaker/members": {
		"github.com/hashicorp/memberlist/", logs, prom,
		module + "speaker/desired/", module + "speaker/ledger/",
	},

	"internal/archtest":  {},
	"internal/kube":      {"k8s.io/", "sigs.k8s.io/", "github.com/go-logr/logr/", logs, prom, module + "api/", module + "config/", module + "internal/"},
	"internal/netnstest": {"github.com/vishvananda/netlink/", "golang.org/x/sys/unix/"},
	"internal/owner":     {},
	"internal/pause":     {},
	"internal/logging":   {logs, "github.com/go-logr/logr/"},
	"internal/program":   {"sigs.k8s.io/controller-runtime/", logs, module + "api/", module + "internal/"},
	"internal/version":   {},
}

func TestShape(t *testing.T) {
	root := os.DirFS("../..")
	docs := map[string]int{} // directory to number of package comments in it

	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || generated(d.Name()):
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		checkLength(t, name, src)
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		checkSource(t, name, src, docs)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s: %d package comments, want 1", dir, n)
		}
	}
}

// skipped reports whether a directory is not part of the module's own code.
func skipped(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || dir == "build" || (len(base) > 1 && strings.HasPrefix(base, "."))
}

// generated reports whether a file is written by a program.
func generated(base string) bool { return strings.HasPrefix(base, "zz_generated") }

// checkLength bounds the length of a file that people write and read.
func checkLength(t *testing.T, name string, src []byte) {
	t.Helper()
	if n := bytes.Count(src, []byte("\n")); n > maxFileLines && !strings.HasSuffix(name, "_test.go") {
		t.Errorf("%s: %d lines, want at most %d", name, n, maxFileLines)
	}
}

// checkSource checks the functions, the package comment and the imports of a file.
func checkSource(t *testing.T, name string, src []byte, docs map[string]int) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	checkFunctions(t, fset, f)

	dir := path.Dir(name)
	docs[dir] += 0 // a package with no comment is counted too
	if f.Doc != nil {
		docs[dir]++
	}
	if f.Name.Name == "main" || strings.HasPrefix(dir, "lab/") {
		return // a main package wires everything together; the lab is a module of its own
	}
	if _, ok := allowed[dir]; !ok {
		t.Errorf("%s: package %s is not in the table", name, dir)
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !mayImport(dir, imp) {
			t.Errorf("%s: package %s may not import %s", name, dir, imp)
		}
	}
}

// checkFunctions bounds the length of a function to what fits on a screen.
func checkFunctions(t *testing.T, fset *token.FileSet, f *ast.File) {
	t.Helper()
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		first, last := fset.Position(fn.Pos()), fset.Position(fn.End())
		if n := last.Line - first.Line + 1; n > maxFunctionLines {
			t.Errorf("%s: function %s has %d lines, want at most %d", first, fn.Name.Name, n, maxFunctionLines)
		}
	}
}

// mayImport reports whether the package in dir may import imp.
func mayImport(dir, imp string) bool {
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return true // standard library
	}
	for _, tree := range allowed[dir] {
		if strings.HasPrefix(imp+"/", tree) {
			return true
		}
	}
	return false
}
