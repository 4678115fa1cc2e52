// The official Go SDK as a server: `program ADDRESS PORT` serves http://ADDRESS:PORT/mcp.
//
// Its handler either keeps sessions, and then refuses 2026-07-28 though it answers server/discover, or it keeps none
// (`program ADDRESS PORT stateless`), and then speaks every revision.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "peer-go", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "echo", Description: "Answers the message."}, echo)
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Adds two integers."}, add)
	mcp.AddTool(server, &mcp.Tool{
		Name:        "slow",
		Description: "Takes some steps, with a pause before each, and reports progress after each.",
	}, slow)
	mcp.AddTool(server, &mcp.Tool{
		Name: "interrupted", Description: "Says how many calls of slow were broken off.",
	}, interrupted)
	mcp.AddTool(server, &mcp.Tool{Name: "fail", Description: "Fails always."}, fail)
	mcp.AddTool(server, &mcp.Tool{Name: "greet", Description: "Asks the user for a name and greets."}, greet)
	server.AddResource(&mcp.Resource{
		URI: "peer://greeting", Name: "greeting", Description: "A greeting", MIMEType: "text/plain",
	}, func(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return contents(request.Params.URI, "Hello from Go"), nil
	})
	server.AddResourceTemplate(&mcp.ResourceTemplate{
		URITemplate: "peer://square/{number}", Name: "square", Description: "A number's square", MIMEType: "text/plain",
	}, square)
	server.AddPrompt(&mcp.Prompt{
		Name: "summary", Description: "Asks for a summary",
		Arguments: []*mcp.PromptArgument{{Name: "text", Required: true}},
	}, summary)

	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{
		Stateless:                    len(os.Args) > 3 && os.Args[3] == "stateless",
		PropagateRequestCancellation: true,
	})
	log.Fatal(http.ListenAndServe(net.JoinHostPort(os.Args[1], os.Args[2]), handler))
}

type echoArguments struct {
	Message string `json:"message"`
}

func echo(_ context.Context, _ *mcp.CallToolRequest, arguments echoArguments) (*mcp.CallToolResult, any, error) {
	return text(arguments.Message), nil, nil
}

type addArguments struct {
	A int `json:"a"`
	B int `json:"b"`
}

type sum struct {
	Result int `json:"result"`
}

func add(_ context.Context, _ *mcp.CallToolRequest, arguments addArguments) (*mcp.CallToolResult, sum, error) {
	return nil, sum{arguments.A + arguments.B}, nil
}

type slowArguments struct {
	Steps        int `json:"steps"`
	Milliseconds int `json:"milliseconds"`
}

func slow(ctx context.Context, request *mcp.CallToolRequest, arguments slowArguments) (*mcp.CallToolResult, any, error) {
	token := request.Params.GetProgressToken()
	for step := 1; step <= arguments.Steps; step++ {
		select {
		case <-ctx.Done():
			brokenOff.Add(1)
			return nil, nil, ctx.Err()
		case <-time.After(time.Duration(arguments.Milliseconds) * time.Millisecond):
		}
		if token != nil {
			// Whoever does not read it has gone, and the context says so.
			_ = request.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: token, Progress: float64(step), Total: float64(arguments.Steps),
				Message: fmt.Sprintf("step %d", step),
			})
		}
	}
	return text(fmt.Sprintf("%d steps", arguments.Steps)), nil, nil
}

var brokenOff atomic.Int64

func interrupted(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, sum, error) {
	return nil, sum{int(brokenOff.Load())}, nil
}

func fail(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return nil, nil, errors.New("this tool fails always")
}

func greet(_ context.Context, request *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	answer, ok := request.Params.InputResponses["user_name"].(*mcp.ElicitResult)
	if !ok {
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"user_name": &mcp.ElicitParams{
			Mode:    "form",
			Message: "What is your name?",
			RequestedSchema: map[string]any{
				"type":       "object",
				"properties": map[string]any{"name": map[string]any{"type": "string"}},
				"required":   []string{"name"},
			},
		}}}, nil, nil
	}
	if answer.Action != "accept" {
		return text("Hello, whoever you are!"), nil, nil
	}
	return text(fmt.Sprintf("Hello, %v!", answer.Content["name"])), nil, nil
}

func square(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	uri := request.Params.URI
	number, err := strconv.Atoi(strings.TrimPrefix(uri, "peer://square/"))
	if err != nil {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	return contents(uri, strconv.Itoa(number*number)), nil
}

func summary(_ context.Context, request *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	content := &mcp.TextContent{Text: "Summarise: " + request.Params.Arguments["text"]}
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: content}}}, nil
}

func text(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

func contents(uri, text string) *mcp.ReadResourceResult {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: "text/plain", Text: text}}}
}
