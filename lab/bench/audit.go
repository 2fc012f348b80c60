package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// accountPrefix begins the user names of Herald's components.
const accountPrefix = "system:serviceaccount:" + heraldNamespace + ":"

// A write is one kind of write: by which component, with which verb, to what.
type write struct {
	component, verb, resource string
}

// String tells a write in a line of the table.
func (w write) String() string { return w.component + " " + w.verb + " " + w.resource }

// tally counts writes.
type tally map[write]int

// total returns how many writes a tally has.
func (t tally) total() int {
	n := 0
	for _, c := range t {
		n += c
	}
	return n
}

// minus returns what t has more than old.
func (t tally) minus(old tally) tally {
	out := tally{}
	for w, n := range t {
		if d := n - old[w]; d > 0 {
			out[w] = d
		}
	}
	return out
}

// An auditLog counts the writes of Herald's components in the API server's
// audit log. Leases are left out: they are renewed at all times.
type auditLog struct {
	path string
	file *os.File
	// rest is the begin of a line whose end is not written yet.
	rest   []byte
	counts tally
}

// openAudit opens the audit log at its begin.
func openAudit(path string) (*auditLog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &auditLog{path: path, file: f, counts: tally{}}, nil
}

// close closes the file.
func (a *auditLog) close() { _ = a.file.Close() }

// snapshot reads on and returns what was counted until now. It follows the log
// when it is rotated, if it is called often enough that this happens at most
// once between two calls.
func (a *auditLog) snapshot() (tally, error) {
	if err := a.read(); err != nil {
		return nil, err
	}
	now, err := os.Stat(a.path)
	if errors.Is(err, os.ErrNotExist) {
		return a.copy(), nil // between two files
	}
	if err != nil {
		return nil, err
	}
	mine, err := a.file.Stat()
	if err != nil {
		return nil, err
	}
	if os.SameFile(now, mine) {
		return a.copy(), nil
	}
	if err := a.read(); err != nil { // what came before it was rotated
		return nil, err
	}
	next, err := os.Open(a.path)
	if err != nil {
		return nil, err
	}
	a.close()
	a.file, a.rest = next, nil
	if err := a.read(); err != nil {
		return nil, err
	}
	return a.copy(), nil
}

// copy returns the counts of this moment.
func (a *auditLog) copy() tally {
	out := make(tally, len(a.counts))
	for w, n := range a.counts {
		out[w] = n
	}
	return out
}

// read counts the lines up to the end of the file.
func (a *auditLog) read() error {
	data, err := io.ReadAll(a.file)
	if err != nil {
		return err
	}
	data = append(a.rest, data...)
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			a.rest = bytes.Clone(data)
			return nil
		}
		data = rest
		if err := a.count(line); err != nil {
			return err
		}
	}
}

// count counts one request if it is a write of Herald's.
func (a *auditLog) count(line []byte) error {
	if !bytes.Contains(line, []byte(accountPrefix)) {
		return nil
	}
	var r struct {
		Verb string `json:"verb"`
		User struct {
			Username string `json:"username"`
		} `json:"user"`
		Object struct {
			Resource    string `json:"resource"`
			Subresource string `json:"subresource"`
		} `json:"objectRef"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	component, ours := strings.CutPrefix(r.User.Username, accountPrefix)
	switch r.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
	default:
		return nil
	}
	resource := r.Object.Resource
	if r.Object.Subresource != "" {
		resource += "/" + r.Object.Subresource
	}
	if ours && resource != "leases" && !strings.HasSuffix(resource, "reviews") {
		a.counts[write{component, r.Verb, resource}]++
	}
	return nil
}
