package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Between two calls, between two tries, and how long one call is tried.
const (
	pause       = 50 * time.Millisecond
	retryPause  = 100 * time.Millisecond
	persistence = 10 * time.Second
)

// An attempt to read a stream of the session, and what came.
type stream struct {
	After  *string  `json:"after"`
	Status int      `json:"status"`
	IDs    []string `json:"ids"`
}

type sessionReport struct {
	ProtocolVersion string         `json:"protocolVersion"`
	Calls           int            `json:"calls"`
	Failures        []string       `json:"failures"`
	Retried         map[string]int `json:"retried"`
	Streams         []*stream      `json:"streams"`
	Notifications   int            `json:"notifications"`
	Levels          int            `json:"levels"`
}

// Notes the streams that pass through it.
type noting struct {
	next    http.RoundTripper
	lock    sync.Mutex
	streams []*stream
}

func (noting *noting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		return noting.next.RoundTrip(request)
	}
	noted := &stream{IDs: []string{}}
	if after := request.Header.Get("Last-Event-ID"); after != "" {
		noted.After = &after
	}
	noting.lock.Lock()
	noting.streams = append(noting.streams, noted)
	noting.lock.Unlock()
	response, err := noting.next.RoundTrip(request)
	if err == nil {
		noted.Status = response.StatusCode
		response.Body = &notedBody{ReadCloser: response.Body, noting: noting, noted: noted}
	}
	return response, err
}

// A stream's body that notes the ids of the events that pass.
type notedBody struct {
	io.ReadCloser
	noting *noting
	noted  *stream
	rest   []byte
}

var (
	idLine = regexp.MustCompile(`(?m)^id: (.+)$`)
	// An event without data is a place in the stream, and no event.
	dataLine = regexp.MustCompile(`(?m)^data: .`)
)

func (body *notedBody) Read(into []byte) (int, error) {
	count, err := body.ReadCloser.Read(into)
	body.rest = append(body.rest, into[:count]...)
	for {
		event, rest, found := bytes.Cut(body.rest, []byte("\n\n"))
		if !found {
			return count, err
		}
		if id := idLine.FindSubmatch(event); id != nil && dataLine.Match(event) {
			body.noting.lock.Lock()
			body.noted.IDs = append(body.noted.IDs, string(id[1]))
			body.noting.lock.Unlock()
		}
		body.rest = rest
	}
}

// Works in one session of the older era for some time: calls echo again and again, each time with another message, sets the logging
// level now and then, and leaves the session's stream to the SDK, which reads on by Last-Event-ID when it breaks. What fails is tried
// again for a while, as a client may that knows that its calls can be repeated. Prints a line when the session is open, and one with the
// tools it finds each time it heard that they changed. Ends when its standard input does, or after its time.
func work(url string, seconds float64) (sessionReport, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second))+time.Minute)
	defer cancel()
	noting := &noting{next: &transport{}}
	said := sessionReport{Failures: []string{}, Retried: map[string]int{}}
	var lock sync.Mutex
	var haveToolsChanged, ended atomic.Bool
	go func() {
		io.Copy(io.Discard, os.Stdin)
		ended.Store(true)
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			lock.Lock()
			defer lock.Unlock()
			said.Notifications++
			haveToolsChanged.Store(true)
		},
	})
	// SDK 1.8.0 ends the session when its stream breaks more often than MaxRetries (5 by default) without an event in between.
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: noting}, MaxRetries: 100,
	}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		return said, err
	}
	print(map[string]bool{"begun": true})
	persistently := func(what func(context.Context) error) bool {
		for began := time.Now(); ; time.Sleep(retryPause) {
			once, done := context.WithTimeout(ctx, persistence)
			err := what(once)
			done()
			if err == nil {
				return true
			}
			words := strings.ReplaceAll(err.Error(), url, "URL")
			if time.Since(began) > persistence {
				said.Failures = append(said.Failures, words)
				return false
			}
			said.Retried[words]++
		}
	}
	initialized := session.InitializeResult()
	said.ProtocolVersion = initialized.ProtocolVersion
	for end := time.Now().Add(time.Duration(seconds * float64(time.Second))); time.Now().Before(end) && !ended.Load(); time.Sleep(pause) {
		said.Calls++
		message := fmt.Sprintf("go, call %d", said.Calls)
		persistently(func(ctx context.Context) error {
			arguments := map[string]any{"message": message}
			answer, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "echo", Arguments: arguments})
			if err != nil {
				return err
			}
			if structured, ok := answer.StructuredContent.(map[string]any); !ok || structured["message"] != message {
				said.Failures = append(said.Failures, fmt.Sprintf("%s was answered with %v", message, answer.StructuredContent))
			}
			return nil
		})
		if initialized.Capabilities.Logging != nil && said.Calls%20 == 0 {
			level := []mcp.LoggingLevel{"info", "warning"}[said.Calls/20%2]
			if persistently(func(ctx context.Context) error {
				return session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: level})
			}) {
				said.Levels++
			}
		}
		if haveToolsChanged.Swap(false) {
			persistently(func(ctx context.Context) error {
				listed, err := session.ListTools(ctx, nil)
				if err != nil {
					return err
				}
				tools := []string{}
				for _, tool := range listed.Tools {
					tools = append(tools, tool.Name)
				}
				print(map[string][]string{"tools": tools})
				return nil
			})
		}
	}
	session.Close()
	lock.Lock()
	defer lock.Unlock()
	noting.lock.Lock()
	defer noting.lock.Unlock()
	said.Streams = noting.streams
	return said, nil
}
