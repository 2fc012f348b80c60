package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A write is one request in the audit log that is to change something.
type write struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Object struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Status struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// what says what a write does, without the name of the object.
func (w write) what() string {
	account := w.User.Username[strings.LastIndex(w.User.Username, ":")+1:]
	resource := w.Object.Resource
	if w.Object.Subresource != "" {
		resource += "/" + w.Object.Subresource
	}
	return account + ": " + w.Verb + " " + resource
}

func (w write) String() string {
	return fmt.Sprintf("%s %s: %d", w.what(), w.Object.Name, w.Status.Code)
}

// A bookmark is a place in the API server's audit log.
type bookmark struct {
	path string
	at   int64
}

// bookmark returns the end of the audit log.
func (c *cluster) bookmark(t *testing.T) bookmark {
	t.Helper()
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	return bookmark{s.AuditLog, info.Size()}
}

// lines returns what was logged since then of Herald's requests, a line each.
func (b bookmark) lines(t *testing.T) [][]byte {
	t.Helper()
	f, err := os.Open(b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := io.ReadAll(io.NewSectionReader(f, b.at, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	log = log[:bytes.LastIndexByte(log, '\n')+1] // the rest is being written
	var out [][]byte
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(`"system:serviceaccount:`+namespace+":")) {
			out = append(out, line)
		}
	}
	return out
}

// writes returns what Herald wrote since then, but for leases, of which one is
// renewed all the time.
func (b bookmark) writes(t *testing.T) []write {
	t.Helper()
	var out []write
	for _, line := range b.lines(t) {
		var w write
		if err := json.Unmarshal(line, &w); err != nil {
			t.Fatalf("audit log: %v in %q", err, line)
		}
		changes := slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, w.Verb)
		if changes && w.Object.Resource != "leases" {
			out = append(out, w)
		}
	}
	return out
}

// watches returns the addresses from which an account has begun to watch
// Services since then.
func (b bookmark) watches(t *testing.T, account string) []string {
	t.Helper()
	var out []string
	for _, line := range b.lines(t) {
		var r struct {
			request
			SourceIPs []string `json:"sourceIPs"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit log: %v in %q", err, line)
		}
		if r.Verb == "watch" && r.Object != nil && r.Object.Resource == "services" && r.Status.Code == 200 && r.User.Username == username(account) {
			out = append(out, r.SourceIPs...)
		}
	}
	return out
}

// quiet waits until Herald has written nothing for three seconds.
func (c *cluster) quiet(t *testing.T) {
	t.Helper()
	eventually(t, patience, "Herald writes nothing", func(context.Context) error {
		b := c.bookmark(t)
		<-time.After(3 * time.Second)
		if w := b.writes(t); len(w) > 0 {
			return errNot(w, "no write")
		}
		return nil
	})
}

// A cluster in which nothing happens sees no write of Herald's for a minute:
// neither when everything is looked at again because objects changed in what
// does not matter, nor when the controller starts anew.
func testSettled(t *testing.T, c *cluster) {
	c.rolledOut(t)
	for i := range 5 {
		c.answers(t, c.serve(t, service{name: fmt.Sprintf("settled%d", i)}))
	}
	c.quiet(t)
	b := c.bookmark(t)
	const third = 20 * time.Second
	<-time.After(third)
	c.kubectl(t, "annotate", "--all", "nodes", "example.org/look=again", "--overwrite")
	c.kubectl(t, "annotate", "--all", "services", "example.org/look=again", "--overwrite")
	c.kubectl(t, "annotate", "--all", "ipaddresspools", "example.org/look=again", "--overwrite")
	<-time.After(third)
	leader, err := c.leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.lab(t, "kill", leader.Spec.NodeName, "controller", "--signal", "KILL")
	<-time.After(third)
	for _, w := range b.writes(t) {
		t.Errorf("cluster settled: %s", w)
	}
	c.rolledOut(t)
}

// A Service costs the API server one write of its status and one event by the
// controller, and by the speakers no more than one event; what else they write
// is bounded by time.
func testWrites(t *testing.T, c *cluster) {
	const many = 20
	c.quiet(t)
	b, start := c.bookmark(t), time.Now()
	var services []service
	var manifests []string
	for i := range many {
		services = append(services, service{name: fmt.Sprint("counted", i)})
		manifests = append(manifests, services[i].manifest())
	}
	c.apply(t, strings.Join(manifests, "---"))
	for _, s := range services {
		c.address(t, s)
	}
	c.answers(t, c.address(t, services[many-1]))
	c.quiet(t)
	seconds := int(time.Since(start)/time.Second) + 1
	writes := b.writes(t)

	onceEach(t, services, writes)
	most := map[string]int{
		"controller: patch services/status":       many,
		"controller: create events":               many,
		"speaker: create events":                  many,
		"controller: patch ipaddresspools/status": seconds,
		"speaker: update speakerstatuses/status":  seconds * len(c.nodes),
	}
	total := map[string]int{}
	for _, w := range writes {
		total[w.what()]++
	}
	t.Logf("%d Services in %d s: %v", many, seconds, total)
	for what, n := range total {
		if n > most[what] {
			t.Errorf("%s: %d times, want at most %d", what, n, most[what])
		}
	}
}

// onceEach checks what was written about each Service.
func onceEach(t *testing.T, services []service, writes []write) {
	t.Helper()
	type about struct{ name, what string }
	count := map[about]int{}
	for _, w := range writes {
		name, _, _ := strings.Cut(w.Object.Name, ".") // an event is named SERVICE.NUMBER
		count[about{name, w.what()}]++
	}
	for _, s := range services {
		for _, what := range []string{"controller: patch services/status", "controller: create events"} {
			if n := count[about{s.name, what}]; n != 1 {
				t.Errorf("%s: %s: %d times, want once", s.name, what, n)
			}
		}
		const told = "speaker: create events"
		if n := count[about{s.name, told}]; n > 1 {
			t.Errorf("%s: %s: %d times, want at most once", s.name, told, n)
		}
	}
}
