// Google's own Pub/Sub for tests (pstest), and in front of it the few calls of Google's REST interface that the tests and the product make, each led to the
// method of its protocol by Google's own JSON mapping. Both listen on 127.0.0.1 alone. Prints one line of JSON with its ports, and ends when its standard
// input is closed: whoever started it cannot leave it behind.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const loopback = "127.0.0.1:0"
const bodyBytesMax = 10 << 20 // what the service takes in one request

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	service := pstest.NewServerWithAddress(loopback)
	connection, err := grpc.NewClient(service.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", loopback)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(listener, gateway(methods(connection))) }()
	ready, err := json.Marshal(map[string]int{"grpc": portOf(service.Addr), "rest": portOf(listener.Addr().String())})
	if err != nil {
		return err
	}
	fmt.Println(string(ready))
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	return <-failed
}

func portOf(address string) int {
	_, text, _ := net.SplitHostPort(address)
	port, _ := strconv.Atoi(text)
	return port
}

// A call of the REST interface: what it is asked by, and what it does with the resource that the path names and with the body.
type method struct {
	verb string
	path *regexp.Regexp
	call func(ctx context.Context, resource string, body []byte) (proto.Message, error)
}

const topicPath = `^/v1/(projects/[^/]+/topics/[^/:]+)`
const subscriptionPath = `^/v1/(projects/[^/]+/subscriptions/[^/:]+)`

func methods(connection *grpc.ClientConn) []method {
	publisher := pubsubpb.NewPublisherClient(connection)
	subscriber := pubsubpb.NewSubscriberClient(connection)
	return []method{
		{"PUT", regexp.MustCompile(topicPath + `$`),
			led(func(of string) *pubsubpb.Topic { return &pubsubpb.Topic{Name: of} }, publisher.CreateTopic)},
		{"POST", regexp.MustCompile(topicPath + `:publish$`),
			led(func(of string) *pubsubpb.PublishRequest { return &pubsubpb.PublishRequest{Topic: of} }, publisher.Publish)},
		{"PUT", regexp.MustCompile(subscriptionPath + `$`),
			led(func(of string) *pubsubpb.Subscription { return &pubsubpb.Subscription{Name: of} }, subscriber.CreateSubscription)},
		{"POST", regexp.MustCompile(subscriptionPath + `:pull$`),
			led(func(of string) *pubsubpb.PullRequest { return &pubsubpb.PullRequest{Subscription: of} }, subscriber.Pull)},
		{"POST", regexp.MustCompile(subscriptionPath + `:acknowledge$`),
			led(func(of string) *pubsubpb.AcknowledgeRequest { return &pubsubpb.AcknowledgeRequest{Subscription: of} }, subscriber.Acknowledge)},
		{"POST", regexp.MustCompile(subscriptionPath + `:modifyAckDeadline$`),
			led(func(of string) *pubsubpb.ModifyAckDeadlineRequest {
				return &pubsubpb.ModifyAckDeadlineRequest{Subscription: of}
			}, subscriber.ModifyAckDeadline)},
	}
}

// Leads a body to a method of the protocol. The path names the resource: a body that names another one does not change that.
func led[Request, Answer proto.Message](
	named func(resource string) Request,
	call func(context.Context, Request, ...grpc.CallOption) (Answer, error),
) func(context.Context, string, []byte) (proto.Message, error) {
	return func(ctx context.Context, resource string, body []byte) (proto.Message, error) {
		request := named(resource)
		said := request.ProtoReflect().New().Interface().(Request)
		if len(body) > 0 && protojson.Unmarshal(body, said) != nil {
			var nothing Answer
			return nothing, status.Error(codes.InvalidArgument, "Invalid JSON payload received.")
		}
		proto.Merge(said, request)
		return call(ctx, said)
	}
}

func gateway(methods []method) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		answer, err := answerOf(methods, request)
		if err == nil {
			send(response, http.StatusOK, answer)
			return
		}
		said := status.Convert(err)
		sent := httpStatusOf(said.Code())
		problem := map[string]any{"code": sent, "message": said.Message(), "status": code.Code(said.Code()).String()}
		text, _ := json.Marshal(map[string]any{"error": problem})
		send(response, sent, text)
	})
}

func answerOf(methods []method, request *http.Request) ([]byte, error) {
	if token, is := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer "); !is || token == "" {
		return nil, status.Error(codes.Unauthenticated, "Request is missing required authentication credential.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, request.Body, bodyBytesMax))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, status.Error(codes.InvalidArgument, "The request is too large.")
	} else if err != nil {
		return nil, err
	}
	for _, one := range methods {
		if named := one.path.FindStringSubmatch(request.URL.Path); named != nil && one.verb == request.Method {
			answer, err := one.call(request.Context(), named[1], body)
			if err != nil {
				return nil, err
			}
			return protojson.Marshal(answer)
		}
	}
	return nil, status.Error(codes.NotFound, "The requested URL was not found on this server.")
}

func send(response http.ResponseWriter, status int, body []byte) {
	response.Header().Set("Content-Type", "application/json; charset=UTF-8")
	response.WriteHeader(status)
	_, _ = response.Write(body) // who has gone does not read it
}

// As google.rpc.Code says it; everything else is 500.
func httpStatusOf(said codes.Code) int {
	statuses := map[codes.Code]int{
		codes.InvalidArgument:    http.StatusBadRequest,
		codes.FailedPrecondition: http.StatusBadRequest,
		codes.Unauthenticated:    http.StatusUnauthorized,
		codes.NotFound:           http.StatusNotFound,
		codes.AlreadyExists:      http.StatusConflict,
		codes.Unimplemented:      http.StatusNotImplemented,
		codes.Unavailable:        http.StatusServiceUnavailable,
	}
	if known, is := statuses[said]; is {
		return known
	}
	return http.StatusInternalServerError
}
