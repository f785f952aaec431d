package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The headers of a webhook's requests.
const (
	HeaderNotice    = "Proctape-Notice-Id"
	HeaderSignature = "Proctape-Signature" // t=UNIX SECONDS,v1=HEX of the HMAC-SHA256 of "UNIX SECONDS.BODY"
)

// refusedError is an answer that another try will not change.
type refusedError struct{ error }

func refused(err error) bool {
	var r *refusedError
	return errors.As(err, &r)
}

// sender sends notices.
type sender struct{ client *http.Client }

func newSender() *sender {
	return &sender{&http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // secrets go to nobody else
	}}
}

// send sends a notice to its receiver, at a time, and returns nil once the receiver has taken it.
func (s *sender) send(ctx context.Context, r *Receiver, n *Notice, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	switch {
	case r.Webhook != nil:
		return s.sendWebhook(ctx, r, n, now)
	case r.Alertmanager != nil:
		body, err := json.Marshal(postable(n, now))
		if err != nil {
			return &refusedError{err}
		}
		return s.post(ctx, strings.TrimSuffix(r.Alertmanager.URL, "/")+"/api/v2/alerts", r.token, body, http.Header{"Content-Type": {"application/json"}})
	}
	return runCommand(ctx, r, n)
}

func (s *sender) sendWebhook(ctx context.Context, r *Receiver, n *Notice, now time.Time) error {
	var body bytes.Buffer
	if r.template != nil {
		if err := r.template.Execute(&body, n); err != nil {
			return &refusedError{fmt.Errorf("the template does not work: %w", err)}
		}
	} else if err := json.NewEncoder(&body).Encode(n); err != nil {
		return &refusedError{err}
	}
	header := http.Header{"Content-Type": {r.Webhook.ContentType}, HeaderNotice: {n.ID}}
	if r.secret != nil {
		header.Set(HeaderSignature, sign(r.secret, body.Bytes(), now))
	}
	return s.post(ctx, r.Webhook.URL, r.token, body.Bytes(), header)
}

// sign is the signature of a body at a time.
func sign(secret, body []byte, now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return "t=" + at + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// post posts a body. An answer of 2xx is success; of others 408, 429 and 5xx may pass.
func (s *sender) post(ctx context.Context, to, token string, body []byte, header http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return &refusedError{errors.New("the URL is none")}
	}
	req.Header = header
	req.Header.Set("User-Agent", "proctape")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) { // the URL may be a secret
			err = of.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return fmt.Errorf("it answers %d", code)
	default:
		return &refusedError{fmt.Errorf("it refuses: %d", code)}
	}
}

// alertmanagerAlert is an alert as Alertmanager takes it.
type alertmanagerAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// longestAlert is when Alertmanager takes an alert for over that nobody ended.
const longestAlert = 7 * 24 * time.Hour

// postable are a notice's alerts for Alertmanager. The labels are the alert's name there, so they stay the same from its start to its end.
func postable(n *Notice, now time.Time) []alertmanagerAlert {
	var all []alertmanagerAlert
	for i := range n.Alerts {
		a := &n.Alerts[i]
		labels := map[string]string{}
		for name, value := range a.Labels {
			labels[name] = value
		}
		for name, value := range map[string]string{"alertname": a.Rule, "type": a.Type, "severity": string(a.Severity), "host": a.Host, "subject": a.Subject, "job": a.Job, "episode": a.Episode} {
			if value != "" {
				labels[name] = value
			}
		}
		if a.PID != 0 {
			labels["pid"] = strconv.FormatInt(a.PID, 10)
		}
		out := alertmanagerAlert{labels, map[string]string{"description": cmp.Or(a.Description, a.Rule)}, unix(a.Started), now.Add(longestAlert).UTC()}
		if n.Status == Resolved && a.Ended != nil {
			out.EndsAt = unix(*a.Ended)
		}
		all = append(all, out)
	}
	return all
}

func unix(t float64) time.Time { return time.Unix(0, int64(t*1e9)).UTC() }

// runCommand runs a receiver's command with the notice on stdin. Exit code 0 is success; 65, of data that it cannot take (EX_DATAERR of sysexits.h), refuses.
func runCommand(ctx context.Context, r *Receiver, n *Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return &refusedError{err}
	}
	cmd := exec.CommandContext(ctx, r.Command[0], r.Command[1:]...)
	cmd.Stdin = bytes.NewReader(append(body, '\n'))
	cmd.Env = append(os.Environ(), "PROCTAPE_NOTICE_ID="+n.ID, "PROCTAPE_STATUS="+string(n.Status))
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == 65 {
		return &refusedError{errors.New("the command refuses: exit 65")}
	}
	return err
}
