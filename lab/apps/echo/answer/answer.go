package answer

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Answer says who answered a request and whom it saw asking.
type Answer struct {
	// Pod is the name of the pod, or of the host where there is no pod.
	Pod string `json:"pod"`
	// Node is the name of the Kubernetes node; empty when it was not told.
	Node string `json:"node,omitempty"`
	// Client is the address and port that the connection came from.
	Client string `json:"client"`
	// Headers are the request's headers; nil unless the client asked for them.
	Headers http.Header `json:"headers,omitempty"`
}

// JSON returns a as one line of JSON.
func (a Answer) JSON() []byte {
	b, err := json.Marshal(a)
	if err != nil {
		panic("answer: " + err.Error()) // strings and maps of strings always marshal
	}
	return append(b, '\n')
}

// Text returns a as lines for people, headers in order.
func (a Answer) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pod: %s\n", a.Pod)
	if a.Node != "" {
		fmt.Fprintf(&b, "node: %s\n", a.Node)
	}
	fmt.Fprintf(&b, "client: %s\n", a.Client)
	for _, key := range slices.Sorted(maps.Keys(a.Headers)) {
		for _, value := range a.Headers[key] {
			fmt.Fprintf(&b, "header: %s: %s\n", key, value)
		}
	}
	return b.String()
}

// Parse reads an answer from the body of a response. It reports false for a
// body that no echo backend wrote.
func Parse(body []byte) (Answer, bool) {
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil || a.Pod == "" {
		return Answer{}, false
	}
	return a, true
}
