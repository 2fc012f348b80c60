package assign

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/go-kit/log/level"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/heraldlb/herald/internal/kube"
)

// secretLength is how many random bytes the speakers' key is made from.
const secretLength = 32

// ensureSecret creates the Secret that the speakers' key is made from when it
// is absent. One that is there is never touched.
func (a *assigner) ensureSecret(ctx context.Context) error {
	key := client.ObjectKey{Namespace: a.namespace, Name: kube.MemberlistSecret}
	err := a.client.Get(ctx, key, &corev1.Secret{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	random := make([]byte, secretLength)
	rand.Read(random) // never fails
	s := &corev1.Secret{Data: map[string][]byte{
		kube.MemberlistKey: []byte(base64.StdEncoding.EncodeToString(random)),
	}}
	s.Namespace, s.Name = key.Namespace, key.Name
	s.Labels = map[string]string{"app.kubernetes.io/name": "herald"}
	err = a.client.Create(ctx, s)
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil
	case err != nil:
		return fmt.Errorf("create Secret %s: %w", key, err)
	}
	_ = level.Info(a.logger).Log("msg", "gossip key created")
	return nil
}
