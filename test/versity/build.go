package versity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// gateway is the package that test/tools/go.mod pins.
const gateway = "github.com/versity/versitygw/cmd/versitygw"

// Program is the path of the versitygw program: that of the environment variable BUS3_TEST_VERSITYGW, or one that is
// built once per version and kept in the user's cache directory. Any number of processes may ask for it at once.
func Program(ctx context.Context) (string, error) {
	if program := os.Getenv("BUS3_TEST_VERSITYGW"); program != "" {
		return program, nil
	}
	module, err := toolsModule()
	if err != nil {
		return "", err
	}
	version, err := moduleVersion(module)
	if err != nil {
		return "", err
	}
	dir := cacheDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("build versitygw: %w", err)
	}
	program := filepath.Join(dir, "versitygw-"+version)
	if isProgram(program) {
		return program, nil
	}
	return program, buildOnce(ctx, module, program)
}

// buildOnce builds program unless another process that held the lock has done so.
func buildOnce(ctx context.Context, module, program string) (err error) {
	lock, err := os.OpenFile(program+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	if isProgram(program) {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-buildvcs=false", "-o", program+".new", gateway)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build versitygw: %w\n%s", err, output)
	}
	return os.Rename(program+".new", program)
}

func isProgram(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o100 != 0
}

// toolsModule is the directory test/tools, which lies beside this package's.
func toolsModule() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("find test/tools: the program does not know its source")
	}
	return filepath.Join(filepath.Dir(filepath.Dir(file)), "tools"), nil
}

// moduleVersion names what is built: the pinned modules and the compiler.
func moduleVersion(module string) (string, error) {
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		sum.Write(content)
	}
	sum.Write([]byte(runtime.Version()))
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}

// cacheDir is where programs are kept: a private directory below the temporary one for users without a home.
func cacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "bus3-tools")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("bus3-tools-%d", os.Getuid()))
}
