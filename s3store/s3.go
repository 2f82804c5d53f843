package s3store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// defaultRegion is what most servers other than Amazon's call themselves.
const defaultRegion = "us-east-1"

// S3 is a store in a bucket of an S3 server.
type S3 struct {
	client   *s3.Client
	bucket   string
	prefix   string // of all keys, "" or ending in "/"
	endpoint string // URL of the server, "" is Amazon's own
	region   string // in which requests are signed
	query    string // of the store's URL

	read, write      patience
	upload, download *limit
	requests         *Requests

	trusted   bool        // the way to the server is safe from change: TLS, or this very machine
	checksums atomic.Bool // the server takes checksums; cleared when it turns out that it does not
}

var _ Store = (*S3)(nil)

// place is what a URL says of a bucket.
type place struct {
	bucket, prefix, endpoint, region string
}

// bucketName leaves the finer rules to the server.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)

func parseS3(u *url.URL) (place, error) {
	p := place{bucket: u.Host}
	if u.User != nil {
		return p, errors.New("credentials do not belong into the URL: the AWS SDK finds them in ~/.aws/credentials or the environment")
	}
	if !bucketName.MatchString(p.bucket) {
		return p, fmt.Errorf("%q is not the name of a bucket", p.bucket)
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if len(prefix) > maxKey || strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' }) {
			return p, fmt.Errorf("%q is not a usable prefix", prefix)
		}
		p.prefix = prefix + "/"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return p, err
	}
	for name, values := range query {
		switch name {
		case "endpoint":
			p.endpoint = strings.TrimSuffix(values[0], "/")
			e, err := url.Parse(p.endpoint)
			if err != nil || e.Host == "" || e.User != nil || e.Scheme != "http" && e.Scheme != "https" {
				return p, errors.New("an endpoint is http://host:port or https://host:port")
			}
		case "region":
			p.region = values[0]
		default:
			return p, fmt.Errorf("unknown setting %q: there are endpoint and region", name)
		}
	}
	return p, nil
}

func openS3(ctx context.Context, u *url.URL, o Options) (*S3, error) {
	p, err := parseS3(u)
	if err != nil {
		return nil, fmt.Errorf("open store s3://%s: %w", u.Host, err)
	}
	s := &S3{
		bucket: p.bucket, prefix: p.prefix, endpoint: p.endpoint, query: u.RawQuery,
		read:   newPatience(orDefault(o.ReadDeadline, DefaultReadDeadline)),
		write:  newPatience(orDefault(o.WriteDeadline, DefaultWriteDeadline)),
		upload: newLimit(o.UploadLimit), download: newLimit(o.DownloadLimit),
		requests: o.Requests,
	}
	s.checksums.Store(true)
	if err := s.connect(ctx, p.region); err != nil {
		return nil, fmt.Errorf("open store %s: %w", s, err)
	}
	return s, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// connect makes the client, out of the URL and what the SDK finds. It asks for credentials once, so that their lack is
// told in plain words and at once.
func (s *S3) connect(ctx context.Context, region string) error {
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithDialerOptions(tuneDialer).WithTransportOptions(tuneTransport)),
		config.WithDefaultRegion(defaultRegion),
		config.WithLogger(logging.Nop{}),
	}
	if region != "" {
		load = append(load, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return fmt.Errorf("read the AWS configuration: %w", err)
	}
	if cfg.Credentials == nil {
		return fmt.Errorf("%w: no credentials", ErrDenied)
	}
	soon, cancel := context.WithTimeout(ctx, s.read.total)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(soon); err != nil {
		return fmt.Errorf("%w: found no credentials for S3; put them into ~/.aws/credentials, or into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: %w", ErrDenied, err)
	}
	s.client = s3.NewFromConfig(cfg, s.tuneClient)
	return nil
}

func (s *S3) tuneClient(o *s3.Options) {
	if s.endpoint != "" {
		o.BaseEndpoint = aws.String(s.endpoint)
	}
	if o.BaseEndpoint != nil { // from the URL or AWS_ENDPOINT_URL: names of buckets rarely are names of hosts there
		o.UsePathStyle = true
		s.endpoint = *o.BaseEndpoint
	}
	s.region = o.Region
	s.trusted = s.endpoint == "" || safeWay(s.endpoint)
	o.Retryer = aws.NopRetryer{} // patience does it
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	o.ContinueHeaderThresholdBytes = -1 // costs a round trip for each pack and saves nothing
}

// safeWay tells whether nobody on the way to endpoint can change what is sent.
func safeWay(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func tuneDialer(d *net.Dialer) {
	d.Timeout = 10 * time.Second
	d.KeepAlive = 15 * time.Second
}

// tuneTransport keeps enough idle connections for all that bus3 does at once, and HTTP/1.1: over HTTP/2 all requests
// share one TCP connection and wait for each other's lost packets.
func tuneTransport(t *http.Transport) {
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 64
	t.IdleConnTimeout = time.Minute
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ExpectContinueTimeout = 0
	t.DisableCompression = true
	t.ReadBufferSize, t.WriteBufferSize = 32<<10, 64<<10
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
}

// String is the URL of the store. It never has secrets: parseS3 refuses them.
func (s *S3) String() string {
	u := url.URL{Scheme: "s3", Host: s.bucket, Path: strings.TrimSuffix("/"+s.prefix, "/"), RawQuery: s.query}
	return u.String()
}

func (s *S3) key(key string) *string { return aws.String(s.prefix + key) }
