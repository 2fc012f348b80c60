package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// joinTime bounds how long a node may take to join.
const joinTime = 2 * time.Minute

// Join adds the node called name, "" for the lowest free one, and waits until
// it is Ready. A node that is in the lab already is left as it is. It returns
// the node.
func (c *Cluster) Join(ctx context.Context, name string) (state.Host, error) {
	l := c.Store.Lab()
	if l == nil || l.Phase != state.Running {
		return state.Host{}, state.ErrNotFound
	}
	node, err := c.newcomer(l, name)
	if err != nil {
		return state.Host{}, err
	}
	if old, err := l.Host(node.Name); err == nil {
		if !old.Joining {
			return old, nil
		}
		c.Report("removing what is left of an earlier %s", node.Name)
		if err := host.Remove(ctx, l, node.Name); err != nil {
			return state.Host{}, err
		}
	}
	if err := c.prepare(ctx, l.Options); err != nil {
		return state.Host{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	node.Joining = true
	if err := c.Store.Update(func(l *state.Lab) error { l.SetHost(node); return nil }); err != nil {
		return state.Host{}, err
	}
	if err := c.join(ctx, node); err != nil {
		return state.Host{}, fmt.Errorf("join %s: %w", node.Name, err)
	}
	node.Joining = false
	return node, c.Store.Update(func(l *state.Lab) error { l.SetHost(node); return nil })
}

// newcomer returns the node that Join is to add.
func (c *Cluster) newcomer(l *state.Lab, name string) (state.Host, error) {
	for _, h := range l.ByRole(state.Node) {
		if h.Joining && name == "" {
			name = h.Name
		}
	}
	if name == "" {
		return l.NextNode()
	}
	return l.NodeNamed(name)
}

// join makes the host of node and starts it.
func (c *Cluster) join(ctx context.Context, node state.Host) error {
	l := c.Store.Lab()
	if err := host.Create(ctx, l, node); err != nil {
		return err
	}
	for _, other := range l.Hosts {
		if other.Name == node.Name || (other.Role != state.Node && other.Role != state.ControlPlane) {
			continue
		}
		if err := host.RoutePods(ctx, l, other.Name, node); err != nil {
			return err
		}
		if other.Role != state.Node {
			continue
		}
		if err := host.RoutePods(ctx, l, node.Name, other); err != nil {
			return err
		}
	}
	ca, err := loadAuthority(l)
	if err != nil {
		return err
	}
	serving := make(chan struct{})
	close(serving)
	if err := c.startNode(ctx, ca, node, serving); err != nil {
		return err
	}
	return c.ready(ctx)
}

// Leave takes the node called name out of the lab, at once and without moving
// its pods elsewhere first. A node that is not in the lab is no error.
func (c *Cluster) Leave(ctx context.Context, name string) error {
	l := c.Store.Lab()
	if l == nil || l.Phase != state.Running {
		return state.ErrNotFound
	}
	node, err := l.NodeNamed(name)
	if err != nil {
		return err
	}
	if !l.Has(name) {
		return nil
	}
	api, err := NewAPI(l)
	if err != nil {
		return err
	}
	if err := host.Remove(ctx, l, name); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	for _, other := range l.Hosts {
		if other.Name != name && (other.Role == state.Node || other.Role == state.ControlPlane) {
			if err := host.UnroutePods(ctx, l, other.Name, node); err != nil {
				return err
			}
		}
	}
	if err := api.deleteNode(ctx, name); err != nil {
		return fmt.Errorf("delete Node %s: %w", name, err)
	}
	return c.Store.Update(func(l *state.Lab) error { l.RemoveHost(name); return nil })
}

// Down ends everything that the lab started and removes all of it, whatever
// phase it is in. A lab that does not exist is no error.
func (c *Cluster) Down(ctx context.Context) error {
	l := c.Store.Lab()
	if l == nil {
		return nil
	}
	if err := c.Store.Update(func(l *state.Lab) error { l.Phase = state.Stopping; return nil }); err != nil {
		return err
	}
	if err := host.RemoveAll(ctx, l); err != nil {
		return fmt.Errorf("remove lab %q: %w", l.Name, err)
	}
	if left := host.Leftovers(l); len(left) > 0 {
		var errs []error
		for _, what := range left {
			errs = append(errs, fmt.Errorf("left over: %s", what))
		}
		return errors.Join(errs...)
	}
	return c.Store.Remove()
}
