package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// A right is one verb on one resource, in one namespace or (empty) everywhere.
type right struct {
	namespace, group, resource, verb string
}

func (r right) String() string {
	where := "the cluster"
	if r.namespace != "" {
		where = "namespace " + r.namespace
	}
	return fmt.Sprintf("%s %s.%s in %s", r.verb, r.resource, r.group, where)
}

// flatten returns every right that rules give in a namespace.
func flatten(rules []rbacv1.PolicyRule, namespace string) []right {
	var out []right
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out = append(out, right{namespace, group, resource, verb})
				}
			}
		}
	}
	return out
}

// binds says whether subjects have Herald's account.
func binds(subjects []rbacv1.Subject, account string) bool {
	return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == "ServiceAccount" && s.Namespace == namespace && s.Name == account
	})
}

// A request is what of one line of the audit log the test reads.
type request struct {
	Verb string `json:"verb"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	URI    string `json:"requestURI"`
	Object *struct {
		Namespace   string `json:"namespace"`
		Group       string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
	Status struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// covers says whether r is what the right is for.
func (r request) covers(x right) bool {
	o := r.Object
	if o == nil {
		return false
	}
	resource := o.Resource
	if o.Subresource != "" {
		resource += "/" + o.Subresource
	}
	// A client lists by watching where the server can stream a list (KEP-3157),
	// and must be able to list where it cannot.
	verb := r.Verb == x.verb || x.verb == "list" && r.Verb == "watch"
	return verb && o.Group == x.group && resource == x.resource && (x.namespace == "" || x.namespace == o.Namespace)
}

// No request of Herald's was refused for want of a right, and no right that it
// has was left unused in all that the tests have made it do.
func testRights(t *testing.T, c *cluster) {
	requests := c.audit(t)
	for _, account := range serviceAccounts {
		mine := requests[username(account)]
		if len(mine) == 0 {
			t.Errorf("%s: no request in the audit log", account)
		}
		for _, x := range c.refusals(t, account, mine) {
			if !slices.ContainsFunc(mine, func(r request) bool { return r.covers(x) }) {
				t.Errorf("%s: may %s but never did", account, x)
			}
		}
	}
}

// refusals fails for each request of an account that was refused for want of a
// right, and returns the rights that it has.
func (c *cluster) refusals(t *testing.T, account string, requests []request) []right {
	t.Helper()
	rights := c.rules(t, account)
	refused := map[string]bool{}
	for _, r := range requests {
		// A server that has just started refuses what it will allow.
		allowed := slices.ContainsFunc(rights, r.covers)
		if r.Status.Code == 403 && !allowed {
			refused[r.Verb+" "+r.URI] = true
		}
	}
	for r := range refused {
		t.Errorf("%s: refused: %s", account, r)
	}
	return rights
}

// audit reads the API server's audit log by user.
func (c *cluster) audit(t *testing.T) map[string][]request {
	t.Helper()
	f, err := os.Open("/var/lib/lab/" + c.Name() + "/cp/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	requests := map[string][]request{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), namespace) {
			continue
		}
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("audit log: %v in %q", err, lines.Text())
		}
		requests[r.User.Username] = append(requests[r.User.Username], r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return requests
}
