package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// code is the S3 error code of err, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// status is the HTTP status that err came with, or 0 if no answer came.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// refused is an answer of the server that says no: the code and words of the server, and why it was so in ours.
type refused struct {
	why          error // a sentinel of this package, or nil
	code, server string
	status       int
}

func (r *refused) Error() string {
	server := fmt.Sprintf("server says %s (HTTP %d)", r.code, r.status)
	if r.server != "" {
		server += ": " + r.server
	}
	if r.why == nil {
		return server
	}
	return fmt.Sprintf("%s (%s)", r.why, server)
}

func (r *refused) Unwrap() error { return r.why }

// noSuchFeature tells whether the server does not know a header of the request.
func noSuchFeature(err error) bool {
	var r *refused
	return errors.As(err, &r) && (r.code == "NotImplemented" || r.status == http.StatusNotImplemented)
}

// explain turns an error of the SDK into one of this package, temporary if another attempt may help.
func (s *S3) explain(err error) error {
	if err == nil {
		return nil
	}
	status, code := status(err), code(err)
	if status == 0 {
		return s.explainSilence(err)
	}
	r := &refused{code: code, status: status}
	var api smithy.APIError
	if errors.As(err, &api) {
		r.server = api.ErrorMessage()
	}
	if code == "" {
		r.code, r.server = "nothing that is S3", err.Error()
	}
	if r.why = s.reason(code, status, err); r.why == ErrNotExist || r.why == ErrExists {
		return r.why
	}
	if again(code, status) {
		return temporary{r}
	}
	return r
}

// reason names what the user can do something about.
func (s *S3) reason(code string, status int, err error) error {
	switch code {
	case "NoSuchKey", "NotFound":
		return ErrNotExist
	case "NoSuchBucket":
		return ErrNoBucket
	case "PreconditionFailed":
		return ErrExists
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken":
		return fmt.Errorf("%w: the credentials are wrong or have expired", ErrDenied)
	case "RequestTimeTooSkewed":
		return fmt.Errorf("%w: the clock of this machine is wrong", ErrDenied)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301", "MovedPermanently":
		return fmt.Errorf("the bucket is %s, not in region %s: set region= in the URL", home(err), s.region)
	case "XMinioStorageFull", "QuotaExceeded", "NoSpaceLeftOnDevice", "InsufficientStorage":
		return ErrNoSpace
	}
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return fmt.Errorf("%w: the credentials do not suffice for this bucket or object", ErrDenied)
	case http.StatusNotFound:
		return ErrNotExist
	case http.StatusPreconditionFailed:
		return ErrExists
	case http.StatusMovedPermanently:
		return fmt.Errorf("the bucket is %s, not in region %s: set region= in the URL", home(err), s.region)
	case http.StatusInsufficientStorage:
		return ErrNoSpace
	}
	return nil
}

// home is where the server says that the bucket is.
func home(err error) string {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if region := response.Response.Header.Get("x-amz-bucket-region"); region != "" {
			return "in region " + region
		}
	}
	return "elsewhere"
}

// again tells which answers may be different the next time. A skewed clock is among them: the SDK learns the server's
// time from the answer.
func again(code string, status int) bool {
	switch code {
	case "RequestTimeTooSkewed", "RequestTimeout", "RequestTimeoutException", "SlowDown", "Throttling", "ThrottlingException",
		"ConditionalRequestConflict", "OperationAborted", "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody":
		return true
	case "XMinioStorageFull", "QuotaExceeded", "NoSpaceLeftOnDevice", "NotImplemented":
		return false
	}
	return status >= 500 && status != http.StatusNotImplemented && status != http.StatusInsufficientStorage ||
		status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status == http.StatusOK
}

// explainSilence is for requests that got no answer: all worth another attempt, other than those that never left.
func (s *S3) explainSilence(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return temporary{err} // try knows whether the caller or the watch ended it
	}
	var sdk *smithy.OperationError
	if errors.As(err, &sdk) {
		err = sdk.Err
	}
	return temporary{fmt.Errorf("cannot reach %s: %w", s.server(), err)}
}

// server names the server, for errors.
func (s *S3) server() string {
	if s.endpoint != "" {
		return s.endpoint
	}
	return "Amazon S3 in " + s.region
}
