package s3store

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

func TestErrorsOfTheFileSystemAreClear(t *testing.T) {
	for cause, want := range map[error]error{
		syscall.ENOSPC: ErrNoSpace, syscall.EDQUOT: ErrNoSpace, syscall.EACCES: ErrDenied, syscall.EPERM: ErrDenied, syscall.EROFS: ErrDenied,
		syscall.ENOENT: ErrNotExist, syscall.ENOTDIR: ErrNotExist, syscall.EIO: syscall.EIO,
	} {
		if err := plain(&fs.PathError{Op: "write", Path: "x", Err: cause}); !errors.Is(err, want) {
			t.Errorf("%v becomes %v, want %v", cause, err, want)
		}
	}
}

func TestReasonsAreNamedInTheUsersWords(t *testing.T) {
	s := &S3{region: "here-1"}
	for code, want := range map[string]string{
		"RequestTimeTooSkewed": "clock of this machine is wrong", "ExpiredToken": "have expired", "PermanentRedirect": "not in region here-1",
		"QuotaExceeded": "no space left",
	} {
		if err := s.reason(code, http.StatusBadRequest, errors.New("x")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
	}
}

func TestOnlyPassingFaultsAreTriedAgain(t *testing.T) {
	for code, want := range map[string]bool{
		"SlowDown": true, "RequestTimeTooSkewed": true, "ConditionalRequestConflict": true, "RequestTimeout": true,
		"AccessDenied": false, "InvalidAccessKeyId": false, "NoSuchBucket": false, "InvalidArgument": false,
	} {
		if got := again(code, http.StatusForbidden); got != want {
			t.Errorf("%s is tried again: %t, want %t", code, got, want)
		}
	}
	for status, want := range map[int]bool{500: true, 502: true, 503: true, 504: true, 429: true, 408: true, 501: false, 507: false, 400: false, 403: false, 412: false} {
		if got := again("", status); got != want {
			t.Errorf("HTTP %d is tried again: %t, want %t", status, got, want)
		}
	}
}

func TestPausesGrowAndStayWithinBounds(t *testing.T) {
	p := newPatience(DefaultWriteDeadline)
	for number := range 1000 {
		if d := p.backoff(number); d < p.pause/2 && number > 10 || d > p.pause || d <= 0 {
			t.Fatalf("pause %d is %s", number, d)
		}
	}
}

func TestWaysToTheServerAreTrustedOnlyWhenSafe(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://example.org": true, "http://127.0.0.1:9000": true, "http://localhost:9000": true, "http://[::1]:9000": true,
		"http://example.org": false, "http://10.0.0.1:9000": false, "http://localhost.example.org": false,
	} {
		if got := safeWay(endpoint); got != want {
			t.Errorf("%s is safe: %t, want %t", endpoint, got, want)
		}
	}
}
