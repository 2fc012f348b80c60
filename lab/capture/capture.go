package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/heraldlb/herald/lab/host"
	"github.com/heraldlb/herald/lab/state"
)

// stopTime bounds how long tcpdump may take to end when it was asked to.
const stopTime = 5 * time.Second

// Config says what to record and where.
type Config struct {
	Host string
	// Interface is the host's interface, or "any".
	Interface string
	// Filter is a filter expression of tcpdump; empty means everything.
	Filter string
	// For is how long to record.
	For time.Duration
	// File is where the recording goes; what was there is replaced.
	File string
}

// Report is a finished recording.
type Report struct {
	Host      string `json:"host"`
	Interface string `json:"interface"`
	Filter    string `json:"filter,omitempty"`
	// File is the recording itself, in the format pcap.
	File    string `json:"file"`
	Packets int    `json:"packets"`
	// Lines is the recording as text, a packet with its details a line.
	Lines []string `json:"lines"`
}

// Text returns r as lines for people.
func (r *Report) Text() string {
	var b strings.Builder
	for _, line := range r.Lines {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "%d packets on %s %s in %s\n", r.Packets, r.Host, r.Interface, r.File)
	return b.String()
}

// Record records for c.For, or until ctx ends, and reports what it got.
func Record(ctx context.Context, l *state.Lab, c Config) (*Report, error) {
	if c.For <= 0 {
		return nil, fmt.Errorf("capture for %s: must be more than 0", c.For)
	}
	if err := c.record(ctx, l); err != nil {
		return nil, fmt.Errorf("capture on %s %s: %w", c.Host, c.Interface, err)
	}
	r := &Report{Host: c.Host, Interface: c.Interface, Filter: c.Filter, File: c.File, Lines: []string{}}
	// The recording is read even when ctx has ended: it is all there is.
	out, err := exec.CommandContext(context.WithoutCancel(ctx), "tcpdump", "-nn", "-tttt", "-v", "-e", "-r", c.File).Output()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.File, err)
	}
	r.Lines = join(out)
	r.Packets = len(r.Lines)
	return r, nil
}

// record runs tcpdump into c.File.
func (c Config) record(ctx context.Context, l *state.Lab) error {
	if err := os.Remove(c.File); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.For)
	defer cancel()
	// -Z root: it may write where only we may. --immediate-mode and -U: every
	// packet is in the file at once, and so are those of the last moment.
	args := []string{"tcpdump", "-i", c.Interface, "-w", c.File, "-U", "--immediate-mode", "-Z", "root", "-nn"}
	if c.Filter != "" {
		args = append(args, c.Filter)
	}
	var stderr bytes.Buffer
	cmd := host.Command(ctx, l, c.Host, args...)
	cmd.Stderr = &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = stopTime
	err := cmd.Run()
	if ctx.Err() != nil && cmd.ProcessState != nil && cmd.ProcessState.Success() {
		return nil // ended because it was time
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	return fmt.Errorf("%s: %w", lines[len(lines)-1], err)
}

// join makes one line of every packet: tcpdump continues packets on lines that
// begin with space.
func join(out []byte) []string {
	var lines []string
	for line := range strings.Lines(string(out)) {
		text := strings.TrimSpace(line)
		if len(lines) > 0 && strings.IndexAny(line, " \t") == 0 {
			lines[len(lines)-1] += " " + text
			continue
		}
		if text != "" {
			lines = append(lines, text)
		}
	}
	return append([]string{}, lines...)
}
