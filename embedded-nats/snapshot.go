package embeddednats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
)

// SavedStream is what a server says of a stream that it saved, and wants to be told when the stream is restored.
type SavedStream struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// apiAnswer is how the server answers a request about a stream. Source: nats-server, JSApiStreamSnapshotResponse and
// JSApiStreamRestoreResponse.
type apiAnswer struct {
	SavedStream
	DeliverSubject string `json:"deliver_subject"`
	Error          *struct {
		Description string `json:"description"`
	} `json:"error"`
}

// chunkTime is how long the server has for the next piece of a stream, and chunkSize how large a piece is, in bytes.
const (
	chunkTime = 30 * time.Second
	chunkSize = 128 << 10
)

// SaveStream writes a stream as it is now, with its consumers, to w, in the server's own form. The server checks each message's sum first, and
// goes on to take messages meanwhile. The key of nc may ask for it as an admin may.
func SaveStream(ctx context.Context, nc *nats.Conn, stream string, w io.Writer) (SavedStream, error) {
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return SavedStream{}, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	_ = sub.SetPendingLimits(-1, -1) // the server waits for acknowledgements
	answer, err := askStream(ctx, nc, "$JS.API.STREAM.SNAPSHOT."+stream, map[string]any{"deliver_subject": inbox, "chunk_size": chunkSize, "jsck": true})
	if err != nil {
		return SavedStream{}, fmt.Errorf("save stream %s: %w", stream, err)
	}
	for {
		m, err := nextPiece(ctx, sub)
		if err != nil {
			return SavedStream{}, fmt.Errorf("save stream %s: %w", stream, err)
		}
		if len(m.Data) == 0 {
			if status := m.Header.Get("Status"); status != "" && status != "204" {
				return SavedStream{}, fmt.Errorf("save stream %s: the server stopped: %s %s", stream, status, m.Header.Get("Description"))
			}
			return answer.SavedStream, nil
		}
		if _, err := w.Write(m.Data); err != nil {
			return SavedStream{}, fmt.Errorf("save stream %s: %w", stream, err)
		}
		if m.Reply != "" {
			if err := m.Respond(nil); err != nil {
				return SavedStream{}, err
			}
		}
	}
}

// nextPiece waits for the next piece of a stream.
func nextPiece(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTime)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// RestoreStream makes a stream of what [SaveStream] wrote. The server has no stream of that name yet.
func RestoreStream(ctx context.Context, nc *nats.Conn, stream string, saved SavedStream, r io.Reader) error {
	answer, err := askStream(ctx, nc, "$JS.API.STREAM.RESTORE."+stream, saved)
	if err != nil {
		return fmt.Errorf("restore stream %s: %w", stream, err)
	}
	piece := make([]byte, chunkSize)
	for {
		n, err := io.ReadFull(r, piece)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("restore stream %s: %w", stream, err)
		}
		// An empty piece is the last. The server answers it when the stream is there.
		told, err := request(ctx, nc, answer.DeliverSubject, piece[:n])
		if err == nil && len(told) > 0 {
			_, err = readAnswer(told)
		}
		if err != nil {
			return fmt.Errorf("restore stream %s: %w", stream, err)
		}
		if n == 0 {
			return nil
		}
	}
}

// askStream asks the server for something about a stream.
func askStream(ctx context.Context, nc *nats.Conn, subject string, question any) (apiAnswer, error) {
	b, err := json.Marshal(question)
	if err != nil {
		return apiAnswer{}, err
	}
	told, err := request(ctx, nc, subject, b)
	if err != nil {
		return apiAnswer{}, err
	}
	return readAnswer(told)
}

// request asks, and waits for the answer.
func request(ctx context.Context, nc *nats.Conn, subject string, b []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTime)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject, b)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

func readAnswer(b []byte) (apiAnswer, error) {
	var a apiAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("the server's answer: %w", err)
	}
	if a.Error != nil {
		return a, errors.New(a.Error.Description)
	}
	return a, nil
}
