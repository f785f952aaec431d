package embeddednats

import (
	"context"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
)

// RefusedError says what the server does not let a connection's key do.
type RefusedError struct {
	What string // "publish to SUBJECT", "subscribe to SUBJECT", or "connect any more"
}

func (e *RefusedError) Error() string { return "the key may not " + e.What }

// UntilRefused returns a context that ends when the server refuses the connection something, or lets it in no more. The
// context's cause is a *RefusedError then. The server tells a client that it refused a request, but not which; without
// this the request ends at its deadline. It takes the place of the connection's handlers of errors and of its end.
func UntilRefused(ctx context.Context, nc *nats.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if refused := refusal(err); refused != nil {
			cancel(refused)
		}
	})
	nc.SetClosedHandler(func(nc *nats.Conn) { // by the client, after the server turned it away twice; or by its owner
		if nc.LastError() != nil && strings.Contains(strings.ToLower(nc.LastError().Error()), "authorization violation") {
			cancel(&RefusedError{"connect any more"})
		}
	})
	return ctx, func() { cancel(context.Canceled) }
}

// violation is how the server names what it refused.
var violation = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to "([^"]*)"`)

// refusal reads what the server refused; nil when err is of another kind.
func refusal(err error) *RefusedError {
	if err == nil {
		return nil
	}
	match := violation.FindStringSubmatch(err.Error())
	if match == nil {
		return nil
	}
	verb := map[bool]string{true: "publish", false: "subscribe"}[strings.EqualFold(match[1], "publish")]
	return &RefusedError{verb + " to " + match[2]}
}
