package answer_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/apps/echo/answer"
)

func TestParse(t *testing.T) {
	full := answer.Answer{
		Pod: "echo-1", Node: "node1", Client: "172.30.0.2:4711",
		Headers: http.Header{"Accept": {"application/json"}},
	}
	tests := []struct {
		name string
		body string
		want answer.Answer
		ok   bool
	}{
		{name: "own JSON", body: string(full.JSON()), want: full, ok: true},
		{name: "another program's JSON", body: `{"status":"ok"}`},
		{name: "text", body: "hello"},
		{name: "empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := answer.Parse([]byte(tt.body))
			if ok != tt.ok {
				t.Fatalf("ok = %v, want %v", ok, tt.ok)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestText(t *testing.T) {
	a := answer.Answer{
		Pod: "echo-1", Node: "node1", Client: "172.30.0.2:4711",
		Headers: http.Header{"B": {"2"}, "A": {"1", "3"}},
	}
	want := "pod: echo-1\nnode: node1\nclient: 172.30.0.2:4711\nheader: A: 1\nheader: A: 3\nheader: B: 2\n"
	if diff := cmp.Diff(want, a.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}
