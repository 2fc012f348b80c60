package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heraldlb/herald/lab/apps/echo/answer"
)

func TestHandler(t *testing.T) {
	const client = "192.0.2.1:1234" // what httptest.NewRequest sets
	tests := []struct {
		name, target, accept string
		stopping             bool
		code                 int
		want                 string
	}{
		{name: "text", target: "/", code: 200, want: "pod: p\nnode: n\nclient: " + client + "\n"},
		{name: "any path", target: "/a/b", code: 200, want: "pod: p\nnode: n\nclient: " + client + "\n"},
		{
			name: "json by header", target: "/", accept: "application/json", code: 200,
			want: string(answer.Answer{Pod: "p", Node: "n", Client: client}.JSON()),
		},
		{
			name: "json by query", target: "/?format=json", code: 200,
			want: string(answer.Answer{Pod: "p", Node: "n", Client: client}.JSON()),
		},
		{
			name: "headers", target: "/?headers=1", accept: "text/plain", code: 200,
			want: "pod: p\nnode: n\nclient: " + client + "\nheader: Accept: text/plain\n",
		},
		{name: "healthy", target: "/healthz", code: 200, want: "ok\n"},
		{name: "stopping is not healthy", target: "/healthz", stopping: true, code: 503, want: "stopping\n"},
		{name: "stopping still serves", target: "/", stopping: true, code: 200, want: "pod: p\nnode: n\nclient: " + client + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &handler{pod: "p", node: "n"}
			h.stopping.Store(tt.stopping)
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			if tt.accept != "" {
				r.Header.Set("Accept", tt.accept)
			}
			w := httptest.NewRecorder()
			h.routes().ServeHTTP(w, r)
			if w.Code != tt.code {
				t.Errorf("status = %d, want %d", w.Code, tt.code)
			}
			if diff := cmp.Diff(tt.want, w.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}
