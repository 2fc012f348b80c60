package kube

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authnclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authzclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// An authority answers the guard's questions, and counts them.
type authority struct {
	authnclient.TokenReviewInterface
	asked int
	away  bool
}

func (a *authority) Create(_ context.Context, r *authnv1.TokenReview, _ metav1.CreateOptions) (*authnv1.TokenReview, error) {
	a.asked++
	if a.away {
		return nil, apierrors.NewServiceUnavailable("away")
	}
	r.Status.Authenticated = r.Spec.Token != "unknown"
	r.Status.User.Username, r.Status.User.Groups = r.Spec.Token, []string{"g"}
	return r, nil
}

// rules allow the user "reader" to get /metrics.
type rules struct {
	authzclient.SubjectAccessReviewInterface
}

func (rules) Create(_ context.Context, r *authzv1.SubjectAccessReview, _ metav1.CreateOptions) (*authzv1.SubjectAccessReview, error) {
	n := r.Spec.NonResourceAttributes
	r.Status.Allowed = r.Spec.User == "reader" && slices.Equal(r.Spec.Groups, []string{"g"}) && n.Path == "/metrics" && n.Verb == "get"
	return r, nil
}

func TestGuard(t *testing.T) {
	now := time.Unix(0, 0)
	a := &authority{}
	g := &guard{tokens: a, access: rules{}, now: func() time.Time { return now }, known: map[request]answer{}}
	h, err := g.filter(logr.Discard(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	get := func(authorization, path string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, tt := range []struct {
		name, authorization, path string
		want                      int
	}{
		{"nobody", "", "/metrics", http.StatusUnauthorized},
		{"not a bearer", "Basic cmVhZGVy", "/metrics", http.StatusUnauthorized},
		{"empty token", "Bearer  ", "/metrics", http.StatusUnauthorized},
		{"unknown token", "Bearer unknown", "/metrics", http.StatusUnauthorized},
		{"not allowed", "Bearer somebody", "/metrics", http.StatusForbidden},
		{"allowed", "Bearer reader", "/metrics", http.StatusOK},
		{"elsewhere", "Bearer reader", "/debug", http.StatusForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := get(tt.authorization, tt.path); got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
		})
	}
	asked := a.asked
	a.away = true
	if got := get("Bearer reader", "/metrics"); got != http.StatusOK || a.asked != asked {
		t.Errorf("status %d after %d questions, want 200 from memory", got, a.asked-asked)
	}
	now = now.Add(guardTTL)
	if got := get("Bearer reader", "/metrics"); got != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503 when nobody can be asked", got)
	}
	a.away = false
	for range 3 * guardSize {
		get("Bearer "+time.Now().String(), "/metrics")
	}
	if len(g.known) > guardSize {
		t.Errorf("%d answers kept", len(g.known))
	}
}
