package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/image"
	"github.com/heraldlb/herald/lab/state"
)

// kubeVersion is the version of Kubernetes, which lab/go.mod requires. 1.35 is
// the last minor that takes containerd 1.x and cgroup v1.
const kubeVersion = "v1.35.4"

// programs are the names that the one Kubernetes binary answers to.
var programs = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet",
}

// needs maps what must be on the machine to the Debian package that has it.
var needs = []struct{ file, pkg string }{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"},
	{"/usr/lib/cni/bridge", "containernetworking-plugins"}, {"/usr/lib/cni/host-local", "containernetworking-plugins"},
	{"ip", "iproute2"}, {"iptables", "iptables"}, {"nft", "nftables"}, {"conntrack", "conntrack"},
	{"tcpdump", "tcpdump"}, {"sysctl", "procps"}, {"nsenter", "util-linux"}, {"unshare", "util-linux"}, {"modprobe", "kmod"},
}

// routerNeeds is needs for each kind of router.
var routerNeeds = map[string]struct{ file, pkg string }{
	"frr": {"vtysh", "frr"}, "bird": {"bird", "bird2"},
}

// prepare makes sure that everything is on the machine that a lab with these
// options needs.
func (c *Cluster) prepare(ctx context.Context, o state.Options) error {
	if os.Geteuid() != 0 {
		return errors.New("lab: needs root, for network namespaces and containers")
	}
	if err := c.install(ctx, o); err != nil {
		return err
	}
	var err error
	if c.bin, err = Programs(ctx, c.Root, c.Report); err != nil {
		return err
	}
	apps, err := image.BuildApps(ctx, c.Root, o.ImageRepo)
	if err != nil {
		return err
	}
	c.pause, c.images = image.PauseImage(o.ImageRepo), nil
	for _, app := range apps {
		c.images = append(c.images, app.Tarball)
	}
	c.images = append(c.images, c.Images...)
	return prepareKernel(ctx)
}

// install installs the Debian packages that are missing, without starting the
// services they bring.
func (c *Cluster) install(ctx context.Context, o state.Options) error {
	want := slices.Clone(needs)
	for _, kind := range o.Routers {
		want = append(want, routerNeeds[kind])
	}
	var missing []string
	for _, n := range want {
		if _, err := exec.LookPath(n.file); err != nil && !slices.Contains(missing, n.pkg) {
			missing = append(missing, n.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	c.Report("installing packages: %s", strings.Join(missing, " "))
	cmd := exec.CommandContext(ctx, filepath.Join(c.Root, "internal", "tools", "packages.sh"), missing...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it cleans up
	cmd.WaitDelay = time.Minute
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install packages %s: %w: %s", strings.Join(missing, " "), err, out)
	}
	return nil
}

// Programs returns the directory that has the Kubernetes programs, and builds
// them below root/build when they are missing or older than what they are made
// from.
func Programs(ctx context.Context, root string, report func(string, ...any)) (string, error) {
	dir := filepath.Join(root, "build", "kube")
	binary := filepath.Join(dir, "kube")
	if stale(binary, filepath.Join(root, "lab", "cmd", "kube", "main.go")) {
		report("building Kubernetes %s: about six minutes the first time", kubeVersion)
		start := time.Now()
		if err := buildKube(ctx, root, binary); err != nil {
			return "", err
		}
		report("built Kubernetes %s in %s", kubeVersion, time.Since(start).Round(time.Second))
	}
	for _, name := range programs {
		link := filepath.Join(dir, name)
		if to, err := os.Readlink(link); err == nil && to == "kube" {
			continue
		}
		_ = os.Remove(link)
		if err := os.Symlink("kube", link); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// stale reports whether product is missing or older than source.
func stale(product, source string) bool {
	p, err := os.Stat(product)
	if err != nil {
		return true
	}
	s, err := os.Stat(source)
	return err == nil && s.ModTime().After(p.ModTime())
}

// buildKube builds the Kubernetes programs, stamped with their version, which
// nodes report.
func buildKube(ctx context.Context, root, binary string) error {
	const pkg = "k8s.io/component-base/version"
	part := strings.SplitN(strings.TrimPrefix(kubeVersion, "v"), ".", 3)
	flags := []string{"-s", "-w"}
	for _, v := range []string{
		"gitVersion=" + kubeVersion, "gitMajor=" + part[0], "gitMinor=" + part[1],
		"gitTreeState=clean", "buildDate=1970-01-01T00:00:00Z",
	} {
		flags = append(flags, "-X", pkg+"."+v)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+strings.Join(flags, " "), "-o", binary, "./cmd/kube")
	cmd.Dir = filepath.Join(root, "lab")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build Kubernetes: %w: %s", err, out)
	}
	now := time.Now() // what was up to date is as good as new
	return os.Chtimes(binary, now, now)
}

// prepareKernel loads what may be a module and makes room for the file watches
// of many kubelets, which is the machine's own setting. A module that is built
// in, or that nothing needs here, is no error.
func prepareKernel(ctx context.Context) error {
	_ = exec.CommandContext(ctx, "modprobe", "-q", "-a", "br_netfilter", "overlay", "nf_conntrack").Run()
	const path, want = "/proc/sys/fs/inotify/max_user_instances", 1024
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(data))); err != nil || n >= want {
		return err
	}
	return os.WriteFile(path, []byte(strconv.Itoa(want)), 0o644)
}
