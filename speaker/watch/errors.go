package watch

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/heraldlb/herald/internal/kube"
)

// A stuckError says for how long a pass has not ended.
type stuckError time.Duration

// Error implements error.
func (e stuckError) Error() string {
	return fmt.Sprintf("a pass over the cluster has not ended for %v", time.Duration(e).Round(time.Second))
}

// A notReadyError says what a starting speaker waits for.
type notReadyError struct {
	stage  stage
	secret types.NamespacedName
}

// Error implements error.
func (e notReadyError) Error() string {
	if e.stage == stageKey {
		return fmt.Sprintf("%s in secret %s", e.stage, e.secret)
	}
	return e.stage.String()
}

// secretName returns the name of the Secret with the gossip key.
func (w *World) secretName() types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: kube.MemberlistSecret}
}

// serviceName returns the name of the Service that the speakers are behind.
func (w *World) serviceName() types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: kube.SpeakerService}
}
