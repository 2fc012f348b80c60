package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// upTime bounds how long a lab may take to come up once all is built.
const upTime = 4 * time.Minute

// Up makes the lab as o says and waits until its nodes are Ready. When it runs
// as o says already, Up verifies it and starts again what died; what a crash
// left half made is removed first. A lab that runs with other options is an
// error.
func (c *Cluster) Up(ctx context.Context, o state.Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := c.prepare(ctx, o); err != nil {
		return err
	}
	if l := c.Store.Lab(); l != nil {
		again, err := c.resume(ctx, l, o)
		if err != nil || !again {
			return err
		}
	}
	if err := c.Store.Create(ctx, o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, upTime)
	defer cancel()
	if err := c.createHosts(ctx); err != nil {
		return fmt.Errorf("create hosts: %w", err)
	}
	c.Report("starting the control plane and the nodes, logs are in %s", c.Store.Lab().Dir)
	if err := c.start(ctx); err != nil {
		return err
	}
	return c.Store.Update(func(l *state.Lab) error { l.Phase = state.Running; return nil })
}

// resume looks at a lab that exists. It reports true when the lab was of no
// use and is gone now.
func (c *Cluster) resume(ctx context.Context, l *state.Lab, o state.Options) (again bool, err error) {
	alive := slices.ContainsFunc(l.Processes, host.Alive)
	if l.Phase != state.Running || !alive {
		c.Report("removing what is left of an earlier lab %s", l.Name)
		return true, c.Down(ctx)
	}
	if got, want := fmt.Sprint(l.Options), fmt.Sprint(o); got != want {
		return false, fmt.Errorf("lab %q runs with other options (%s, asked for %s): take it down first", l.Name, got, want)
	}
	for _, p := range l.Processes {
		if host.Alive(p) {
			continue
		}
		c.Report("%s on %s does not run, starting it again", p.Name, p.Host)
		if err := host.Restart(c.Store, p.Host, p.Name); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, upTime)
	defer cancel()
	if err := c.reload(ctx); err != nil {
		return false, err
	}
	return false, c.ready(ctx)
}

// reload loads the images that Up was given into nodes that run already.
func (c *Cluster) reload(ctx context.Context) error {
	if len(c.Images) == 0 {
		return nil
	}
	l := c.Store.Lab()
	for _, node := range l.ByRole(state.Node) {
		err := wait(ctx, "containerd on "+node.Name, func(ctx context.Context) error { return ctr(ctx, l, node.Name, "version") })
		if err != nil {
			return err
		}
	}
	return LoadImages(ctx, l, c.Images...)
}

// createHosts makes the switch, all hosts on it and the link to this machine.
func (c *Cluster) createHosts(ctx context.Context) error {
	l := c.Store.Lab()
	c.Report("creating hosts: %s", strings.Join(l.HostNames(), " "))
	if err := errors.Join(host.CreateRun(ctx, l), host.CreateSwitch(ctx, l)); err != nil {
		return err
	}
	var g errgroup.Group
	for _, h := range l.Hosts {
		g.Go(func() error { return host.Create(ctx, l, h) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	cp := l.ByRole(state.ControlPlane)[0]
	nodes := l.ByRole(state.Node)
	for _, on := range append(nodes, cp) {
		for _, node := range nodes {
			if node.Name == on.Name {
				continue
			}
			if err := host.RoutePods(ctx, l, on.Name, node); err != nil {
				return err
			}
		}
	}
	return host.Manage(ctx, l, cp.Name)
}

// start starts everything on all hosts at once and waits until it is ready.
func (c *Cluster) start(ctx context.Context) error {
	l := c.Store.Lab()
	if err := writePKI(l); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	ca, err := loadAuthority(l)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	serving := make(chan struct{}) // closed once the API server is ready
	g.Go(func() error { return c.startControlPlane(gctx, serving) })
	for _, node := range l.ByRole(state.Node) {
		g.Go(func() error { return c.startNode(gctx, ca, node, serving) })
	}
	for _, router := range l.ByRole(state.Router) {
		g.Go(func() error { return c.startRouter(gctx, router) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return c.ready(ctx)
}

// startRouter starts what a router runs.
func (c *Cluster) startRouter(ctx context.Context, h state.Host) error {
	if c.Router == nil {
		return fmt.Errorf("router %s: nobody starts routers here", h.Name)
	}
	if err := c.Router(ctx, c.Store, h); err != nil {
		return fmt.Errorf("router %s: %w", h.Name, err)
	}
	return nil
}

// startControlPlane starts the programs on host cp and closes serving once the
// API server is ready.
func (c *Cluster) startControlPlane(ctx context.Context, serving chan<- struct{}) error {
	l := c.Store.Lab()
	if err := writeFile(l.Path("cp", "audit-policy.yaml"), []byte(auditPolicy)); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Path("cp", "etcd"), 0o700); err != nil {
		return err
	}
	early := map[string][]string{"etcd": etcdArgs(l, c.bin), "kube-apiserver": apiServerArgs(l, c.bin)}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if err := host.Start(c.Store, host.Daemon{Host: "cp", Name: name, Args: early[name]}); err != nil {
			return err
		}
	}
	api, err := NewAPI(l)
	if err != nil {
		return err
	}
	err = wait(ctx, "API server", func(ctx context.Context) error {
		return errors.Join(api.Ready(ctx), c.died("cp"))
	})
	if err != nil {
		return err
	}
	c.Report("API server is ready at %s", machineURL(l))
	close(serving)
	late := map[string][]string{"kube-controller-manager": controllerManagerArgs(l, c.bin), "kube-scheduler": schedulerArgs(l, c.bin)}
	for name, args := range late {
		if err := host.Start(c.Store, host.Daemon{Host: "cp", Name: name, Args: args}); err != nil {
			return err
		}
	}
	return nil
}

// died names the daemons on host that do not run though nobody killed them,
// with what they said last.
func (c *Cluster) died(on string) error {
	var errs []error
	for _, p := range c.Store.Lab().Processes {
		if p.Host == on && p.PID != 0 && !p.Killed && !host.Alive(p) {
			errs = append(errs, fmt.Errorf("%s on %s died, see %s: %s", p.Name, p.Host, p.Log, lastLine(p.Log)))
		}
	}
	return errors.Join(errs...)
}

// ready waits until every node is Ready and pods can be made.
func (c *Cluster) ready(ctx context.Context) error {
	l := c.Store.Lab()
	api, err := NewAPI(l)
	if err != nil {
		return err
	}
	c.Report("waiting for %d nodes to be Ready", len(l.ByRole(state.Node)))
	return wait(ctx, "nodes", func(ctx context.Context) error {
		var errs []error
		for _, h := range l.Hosts {
			errs = append(errs, c.died(h.Name))
		}
		errs = append(errs, nodesReady(ctx, api, l), accountReady(ctx, api))
		return errors.Join(errs...)
	})
}

// nodesReady says which nodes are not Ready. A host that is cut off is not
// expected to be.
func nodesReady(ctx context.Context, api *API, l *state.Lab) error {
	got, err := api.NodeReady(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range l.ByRole(state.Node) {
		if !h.Cut && got[h.Name] != "True" {
			errs = append(errs, fmt.Errorf("node %s: Ready is %q", h.Name, got[h.Name]))
		}
	}
	return errors.Join(errs...)
}

// accountReady waits for what the controller manager gives a namespace before
// pods can be made in it.
func accountReady(ctx context.Context, api *API) error {
	return errors.Join(
		api.Do(ctx, "GET", "/api/v1/namespaces/default/serviceaccounts/default", nil, nil),
		api.Do(ctx, "GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", nil, nil),
	)
}
