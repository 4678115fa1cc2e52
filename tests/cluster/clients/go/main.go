// Lists and calls tools with the official Go SDK; prints one JSON line that the end-to-end tests read.
//
// Usage: program URL REVISION CALLS. REVISION is what the SDK asks for first. CALLS is a JSON array of {"name", "arguments"}.
// Or: program URL SECONDS, which works in one session of the older era for so long.
// The access token comes in TOKEN; without one, or with one that lacks a scope, the SDK must meet the challenge.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type call struct {
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

type result struct {
	IsError    bool   `json:"isError"`
	Text       string `json:"text"`
	Structured any    `json:"structured"`
}

type report struct {
	ProtocolVersion string   `json:"protocolVersion,omitempty"`
	Tools           []string `json:"tools,omitempty"`
	Results         []result `json:"results,omitempty"`
	Error           string   `json:"error,omitempty"`
	Challenges      []string `json:"challenges,omitempty"`
}

// Sends the token, and notes challenges on the way.
type transport struct {
	lock       sync.Mutex
	challenges []string
}

func (transport *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if token := os.Getenv("TOKEN"); token != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil && (response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden) {
		transport.lock.Lock()
		defer transport.lock.Unlock()
		challenge := fmt.Sprintf("%d %s", response.StatusCode, response.Header.Get("WWW-Authenticate"))
		transport.challenges = append(transport.challenges, challenge)
	}
	return response, err
}

func main() {
	if len(os.Args) == 3 {
		seconds, err := strconv.ParseFloat(os.Args[2], 64)
		if err != nil {
			panic(err)
		}
		said, err := work(os.Args[1], seconds)
		if err != nil {
			said.Failures = append(said.Failures, err.Error())
		}
		print(said)
		return
	}
	transport := &transport{}
	said, err := run(transport, os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		transport.lock.Lock()
		defer transport.lock.Unlock()
		said = report{Error: err.Error(), Challenges: transport.challenges}
	}
	print(said)
}

func print(said any) {
	line, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func run(transport *transport, url, revision, calls string) (report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var wanted []call
	if err := json.Unmarshal([]byte(calls), &wanted); err != nil {
		return report{}, err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: transport}, MaxRetries: -1,
	}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		return report{}, err
	}
	defer session.Close()
	said := report{ProtocolVersion: session.InitializeResult().ProtocolVersion}
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return report{}, err
	}
	for _, tool := range tools.Tools {
		said.Tools = append(said.Tools, tool.Name)
	}
	sort.Strings(said.Tools)
	for _, call := range wanted {
		answer, err := session.CallTool(ctx, &mcp.CallToolParams{Name: call.Name, Arguments: call.Arguments})
		if err != nil {
			return report{}, err
		}
		got := result{IsError: answer.IsError, Structured: answer.StructuredContent}
		for _, block := range answer.Content {
			if text, ok := block.(*mcp.TextContent); ok {
				got.Text = text.Text
				break
			}
		}
		said.Results = append(said.Results, got)
	}
	return said, nil
}
