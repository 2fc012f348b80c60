package kube

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authnclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authzclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// guardTTL is how long an answer of the API server about a token is kept.
	guardTTL = time.Minute
	// guardSize bounds the number of tokens that answers are kept for.
	guardSize = 128
	// guardTimeout bounds one request to the API server.
	guardTimeout = 10 * time.Second
)

// A guard lets only those read metrics whose bearer token the API server
// knows (TokenReview) and allows to get the path (SubjectAccessReview). When
// it cannot ask, nobody reads.
type guard struct {
	tokens authnclient.TokenReviewInterface
	access authzclient.SubjectAccessReviewInterface
	now    func() time.Time

	mu    sync.Mutex
	known map[request]answer
}

// A request is what the API server is asked about.
type request struct{ token, path, verb string }

// An answer is the HTTP status that a request gets, until it is stale.
type answer struct {
	status int
	until  time.Time
}

// guardMetrics is the metrics server's FilterProvider.
func guardMetrics(cfg *rest.Config, c *http.Client) (metricsserver.Filter, error) {
	authn, err := authnclient.NewForConfigAndClient(cfg, c)
	if err != nil {
		return nil, err
	}
	authz, err := authzclient.NewForConfigAndClient(cfg, c)
	if err != nil {
		return nil, err
	}
	g := &guard{
		tokens: authn.TokenReviews(), access: authz.SubjectAccessReviews(),
		now: time.Now, known: map[request]answer{},
	}
	return g.filter, nil
}

// filter wraps a handler of the metrics server.
func (g *guard) filter(l logr.Logger, next http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || strings.TrimSpace(token) == "" {
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		req := request{token: strings.TrimSpace(token), path: r.URL.Path, verb: strings.ToLower(r.Method)}
		status, err := g.judge(r.Context(), req)
		if err != nil {
			l.Error(err, "metrics client not checked")
			status = http.StatusServiceUnavailable
		}
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// judge returns the status that a request gets: OK, Unauthorized or Forbidden.
func (g *guard) judge(ctx context.Context, req request) (int, error) {
	g.mu.Lock()
	a, ok := g.known[req]
	g.mu.Unlock()
	if ok && g.now().Before(a.until) {
		return a.status, nil
	}
	ctx, cancel := context.WithTimeout(ctx, guardTimeout)
	defer cancel()
	status, err := g.ask(ctx, req)
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= guardSize {
		clear(g.known) // tokens rotate; asking again costs little
	}
	g.known[req] = answer{status: status, until: g.now().Add(guardTTL)}
	return status, nil
}

// ask asks the API server.
func (g *guard) ask(ctx context.Context, req request) (int, error) {
	review, err := g.tokens.Create(ctx, &authnv1.TokenReview{
		Spec: authnv1.TokenReviewSpec{Token: req.token},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !review.Status.Authenticated || review.Status.Error != "" {
		return http.StatusUnauthorized, nil
	}
	user := review.Status.User
	extra := make(map[string]authzv1.ExtraValue, len(user.Extra))
	for k, v := range user.Extra {
		extra[k] = authzv1.ExtraValue(v)
	}
	access, err := g.access.Create(ctx, &authzv1.SubjectAccessReview{
		Spec: authzv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			NonResourceAttributes: &authzv1.NonResourceAttributes{Path: req.path, Verb: req.verb},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	if !access.Status.Allowed {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
