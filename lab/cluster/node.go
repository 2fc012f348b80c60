package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// startNode starts the container runtime of a node, whose host exists, loads
// its images and, once serving is closed, lets it join the cluster.
func (c *Cluster) startNode(ctx context.Context, ca *authority, node state.Host, serving <-chan struct{}) error {
	l := c.Store.Lab()
	if err := errors.Join(host.CreateMounts(ctx, l, node.Name), host.CreateCgroups(l, node.Name)); err != nil {
		return fmt.Errorf("host of %s: %w", node.Name, err)
	}
	if err := host.Masquerade(ctx, l, node); err != nil {
		return fmt.Errorf("masquerading on %s: %w", node.Name, err)
	}
	if err := writeNode(l, ca, node, c.pause); err != nil {
		return fmt.Errorf("configuration of %s: %w", node.Name, err)
	}
	if err := host.Start(c.Store, host.Daemon{Host: node.Name, Name: "containerd", Args: containerdArgs(l, node)}); err != nil {
		return err
	}
	err := wait(ctx, "containerd on "+node.Name, func(ctx context.Context) error {
		return errors.Join(ctr(ctx, l, node.Name, "version"), c.died(node.Name))
	})
	if err != nil {
		return err
	}
	if err := importImages(ctx, l, node.Name, c.images); err != nil {
		return err
	}
	select {
	case <-serving:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.register(ctx, node)
}

// register makes the Node object and starts the programs that serve it.
func (c *Cluster) register(ctx context.Context, node state.Host) error {
	l := c.Store.Lab()
	api, err := NewAPI(l)
	if err != nil {
		return err
	}
	if err := api.createNode(ctx, node); err != nil {
		return fmt.Errorf("create Node %s: %w", node.Name, err)
	}
	return errors.Join(
		host.Start(c.Store, host.Daemon{Host: node.Name, Name: "kubelet", Args: kubeletArgs(l, node, c.bin)}),
		host.Start(c.Store, host.Daemon{Host: node.Name, Name: "kube-proxy", Args: proxyArgs(l, node, c.bin)}),
	)
}

// writeNode writes the configuration of everything that a node runs.
func writeNode(l *state.Lab, ca *authority, node state.Host, pause string) error {
	files := map[string][]byte{
		"containerd.toml":       containerdConfig(l, node, pause),
		"cni/10-lab.conflist":   cniConfig(l, node),
		"kubelet.yaml":          kubeletConfig(l, node),
		"kube-proxy.yaml":       proxyConfig(l, node),
		"resolv.conf":           nil,
		"volume-plugins/README": []byte("none here\n"),
	}
	for name, data := range files {
		if err := writeFile(l.Path(node.Name, name), data); err != nil {
			return err
		}
	}
	return errors.Join(
		writeKubeconfig(l, ca, l.Path(node.Name, "kubelet.kubeconfig"), nodeURL(l), "system:node:"+node.Name, "system:nodes"),
		writeKubeconfig(l, ca, l.Path(node.Name, "kube-proxy.kubeconfig"), nodeURL(l), "system:kube-proxy"),
	)
}

// ctr runs containerd's client against the containerd of a node.
func ctr(ctx context.Context, l *state.Lab, node string, args ...string) error {
	all := append([]string{"ctr", "--address", ContainerdSocket(l, node), "--namespace", "k8s.io"}, args...)
	var out bytes.Buffer
	c := host.Tool(ctx, l, all...)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return fmt.Errorf("ctr %s on %s: %w: %s", strings.Join(args, " "), node, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// importImages loads tarballs into the containerd of a node.
func importImages(ctx context.Context, l *state.Lab, node string, tarballs []string) error {
	for _, tar := range tarballs {
		if err := ctr(ctx, l, node, "images", "import", "--snapshotter=native", tar); err != nil {
			return err
		}
	}
	return nil
}

// LoadImages loads tarballs into the containerd of every node.
func LoadImages(ctx context.Context, l *state.Lab, tarballs ...string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, node := range l.ByRole(state.Node) {
		g.Go(func() error { return importImages(ctx, l, node.Name, tarballs) })
	}
	return g.Wait()
}
