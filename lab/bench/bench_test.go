package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// line is one line of an audit log.
func line(user, verb, resource, subresource string) string {
	return `{"verb":"` + verb + `","user":{"username":"` + user + `"},"objectRef":{"resource":"` + resource +
		`","subresource":"` + subresource + `"}}` + "\n"
}

func TestAuditLog(t *testing.T) {
	const controller, speaker = accountPrefix + "controller", accountPrefix + "speaker"
	path := filepath.Join(t.TempDir(), "audit.log")
	appendTo := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	appendTo(line(controller, "patch", "services", "status") + line(controller, "update", "leases", "") +
		line(controller, "get", "services", "") + line("admin", "create", "services", ""))
	a, err := openAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	first, err := a.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tally{{"controller", "patch", "services/status"}: 1}, first); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}

	half := line(controller, "patch", "services", "status")
	appendTo(half[:20])
	if _, err := a.snapshot(); err != nil {
		t.Fatal(err)
	}
	appendTo(half[20:])
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	appendTo(line(speaker, "create", "events", ""))
	second, err := a.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	want := tally{{"controller", "patch", "services/status"}: 1, {"speaker", "create", "events"}: 1}
	if diff := cmp.Diff(want, second.minus(first)); diff != "" {
		t.Errorf("after a rotation (-want +got):\n%s", diff)
	}
}

func TestTable(t *testing.T) {
	var tab table
	tab.Part("part")
	tab.add("good", "ms", 100, 30, 10, 20)
	tab.add("bad", "s", 1, 2, 3)
	tab.add("plain", "writes", nothing, 7)
	var b strings.Builder
	if err := tab.Write(&b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range strings.Split(b.String(), "\n") {
		if f := strings.Fields(l); len(f) > 0 {
			got = append(got, strings.Join(f, " "))
		}
	}
	want := []string{
		"part", "n median min max unit wanted", "good 3 20 10 30 ms <= 100 met",
		"bad 2 2.50 2 3 s <= 1 MISSED", "plain 1 7 7 7 writes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	const bird = "BIRD 2.0.12 ready.\n10 of 20 routes for 10 networks in table master4\n"
	if n, err := birdCount(bird); n != 10 || err != nil {
		t.Errorf("BIRD: %d, %v, want 10", n, err)
	}
	if n, err := birdCount("syntax error\n"); err == nil {
		t.Errorf("BIRD without a count: %d, want an error", n)
	}
	for out, want := range map[string]int{
		`{"peers":{"a":{"pfxRcd":7},"b":{"pfxRcd":3}}}`: 10,
		`{}`: 0,
	} {
		if n, err := frrCount([]byte(out)); n != want || err != nil {
			t.Errorf("FRR %s: %d, %v, want %d", out, n, err, want)
		}
	}
	if n, err := frrCount([]byte("% no BGP")); err == nil {
		t.Errorf("FRR without a count: %d, want an error", n)
	}
}
