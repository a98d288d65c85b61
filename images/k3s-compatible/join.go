package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// bootstrapToken is a token of any form as the pair that Kubernetes takes for joining nodes: six and sixteen characters of [a-z0-9].
type bootstrapToken struct{ id, secret string }

func newBootstrapToken(token string) bootstrapToken {
	digest := sha256.Sum256([]byte("k3s-compatible bootstrap token\x00" + token))
	text := hex.EncodeToString(digest[:])
	return bootstrapToken{id: text[:6], secret: text[6:22]}
}

func (t bootstrapToken) String() string { return t.id + "." + t.secret }

// verifyClusterInfo checks the signature that the controller-manager's bootstrap signer put beside the cluster's kubeconfig (a detached
// JSON Web Signature, HS256): only who knows the token can have made it, so its certificate authority is the one to trust.
func verifyClusterInfo(token bootstrapToken, kubeconfig, signature string) error {
	header, rest, found := strings.Cut(signature, "..")
	if !found {
		return fmt.Errorf("the signature has not the form of a detached one")
	}
	mac := hmac.New(sha256.New, []byte(token.secret))
	fmt.Fprintf(mac, "%s.%s", header, base64.RawURLEncoding.EncodeToString([]byte(kubeconfig)))
	wanted, err := base64.RawURLEncoding.DecodeString(rest)
	if err != nil {
		return fmt.Errorf("the signature is no base64: %w", err)
	}
	if !hmac.Equal(wanted, mac.Sum(nil)) {
		return fmt.Errorf("the server does not know this token")
	}
	return nil
}

// field returns the first value of a field in YAML as kubeadm writes it: one line, no quotes.
func field(yaml, name string) (string, error) {
	for _, line := range strings.Split(yaml, "\n") {
		if value, found := strings.CutPrefix(strings.TrimLeft(line, " -"), name+": "); found {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("there is no %s", name)
}
