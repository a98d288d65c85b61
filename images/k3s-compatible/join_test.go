package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"testing"
)

func TestTokenOfAnyForm(t *testing.T) {
	one, other := newBootstrapToken("K10abc::server:secret"), newBootstrapToken("another")
	if !regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`).MatchString(one.String()) || one == other {
		t.Errorf("%s, %s", one, other)
	}
	if one != newBootstrapToken("K10abc::server:secret") {
		t.Error("the same token gives another pair")
	}
}

func signed(token bootstrapToken, text string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"` + token.id + `"}`))
	mac := hmac.New(sha256.New, []byte(token.secret))
	mac.Write([]byte(header + "." + base64.RawURLEncoding.EncodeToString([]byte(text))))
	return header + ".." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestClusterInfoNeedsTheToken(t *testing.T) {
	token := newBootstrapToken("right")
	if err := verifyClusterInfo(token, "text", signed(token, "text")); err != nil {
		t.Error(err)
	}
	for name, signature := range map[string]string{
		"another token": signed(newBootstrapToken("wrong"), "text"),
		"another text":  signed(token, "other text"),
		"no signature":  "",
	} {
		if verifyClusterInfo(token, "text", signature) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestField(t *testing.T) {
	yaml := "clusters:\n- cluster:\n    certificate-authority-data: QQ==\n    server: https://a:6443\n"
	for name, wanted := range map[string]string{"server": "https://a:6443", "certificate-authority-data": "QQ=="} {
		if got, err := field(yaml, name); err != nil || got != wanted {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if _, err := field(yaml, "token"); err == nil {
		t.Error("a token is found")
	}
}
