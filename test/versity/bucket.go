package versity

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket makes a new bucket and returns its name.
func (s *Server) Bucket(t testing.TB) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text())[:12]
	if err := s.MakeBucket(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name
}

// MakeBucket makes a bucket.
func (s *Server) MakeBucket(ctx context.Context, name string) error {
	if _, err := s.client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	return nil
}

// Reader makes credentials that may list a bucket and get its objects, and nothing else. It replaces the policy of the
// bucket.
func (s *Server) Reader(t testing.TB, bucket string) Credentials {
	t.Helper()
	return s.user(t, bucket, "s3:GetObject", "s3:ListBucket")
}

// Stranger makes credentials that may do nothing.
func (s *Server) Stranger(t testing.TB) Credentials {
	t.Helper()
	c, err := s.makeUser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// user makes credentials that may do the actions with a bucket and its objects.
func (s *Server) user(t testing.TB, bucket string, actions ...string) Credentials {
	t.Helper()
	c, err := s.makeUser(t.Context())
	if err == nil {
		err = s.allow(t.Context(), c, bucket, actions)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *Server) makeUser(ctx context.Context) (Credentials, error) {
	c := Credentials{"user" + strings.ToLower(rand.Text())[:12], rand.Text()}
	cmd := exec.CommandContext(ctx, s.program, "admin", "--endpoint-url", s.Endpoint(), "create-user",
		"--access", c.AccessKey, "--secret", c.SecretKey, "--role", "user")
	cmd.Env = append(os.Environ(), "ADMIN_ACCESS_KEY="+s.Admin.AccessKey, "ADMIN_SECRET_KEY="+s.Admin.SecretKey, "ADMIN_REGION="+Region)
	if output, err := cmd.CombinedOutput(); err != nil {
		return c, fmt.Errorf("make a user of versitygw: %w\n%s", err, output)
	}
	return c, nil
}

func (s *Server) allow(ctx context.Context, c Credentials, bucket string, actions []string) error {
	type statement struct {
		Effect    string
		Principal map[string]string
		Action    []string
		Resource  []string
	}
	grant := statement{"Allow", map[string]string{"AWS": c.AccessKey}, nil, []string{"arn:aws:s3:::" + bucket + "/*"}}
	list := statement{"Allow", map[string]string{"AWS": c.AccessKey}, nil, []string{"arn:aws:s3:::" + bucket}}
	for _, a := range actions {
		if strings.HasSuffix(a, "Object") {
			grant.Action = append(grant.Action, a)
		} else {
			list.Action = append(list.Action, a)
		}
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []statement{grant, list}})
	if err != nil {
		return err
	}
	_, err = s.client().PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(string(policy))})
	if err != nil {
		return fmt.Errorf("set the policy of bucket %s: %w", bucket, err)
	}
	return nil
}

func (s *Server) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint()),
		Region:       Region,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s.Admin.AccessKey, s.Admin.SecretKey, ""),
	})
}
