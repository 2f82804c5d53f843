package seal

import (
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// encoderList is encoders of one level that nobody uses at the moment, as many as can be at work at once. They stay: who
// compresses does so all the time, and a list that the collector empties would make garbage of them again and again.
type encoderList struct {
	mu   sync.Mutex
	free []*zstd.Encoder
}

func (l *encoderList) take(c Compression) *zstd.Encoder {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.free) - 1
	if last < 0 {
		return newEncoder(c)
	}
	e := l.free[last]
	l.free = l.free[:last]
	return e
}

func (l *encoderList) give(e *zstd.Encoder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) < runtime.GOMAXPROCS(0) {
		l.free = append(l.free, e)
	}
}

// newEncoder makes an encoder that works alone, in the goroutine that calls it. It adds no checksum: what it makes is
// always authenticated.
func newEncoder(c Compression) *zstd.Encoder {
	level := map[Compression]zstd.EncoderLevel{
		Fastest:         zstd.SpeedFastest,
		Default:         zstd.SpeedDefault,
		Better:          zstd.SpeedBetterCompression,
		fastestLiterals: zstd.SpeedFastest,
	}[c]
	options := []zstd.EOption{
		zstd.WithEncoderLevel(level),
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(encoderWindow),
	}
	if c == fastestLiterals {
		options = append(options, zstd.WithAllLitEntropyCompression(true))
	}
	e, err := zstd.NewWriter(nil, options...)
	if err != nil {
		panic(err) // only impossible options are refused
	}
	return e
}

const (
	// encoderWindow is how far back an encoder looks, bytes: a whole segment of usual size. It keeps a copy of so much.
	encoderWindow = 1 << 20
	// decoderWindow is the farthest that a frame may ask for; more than ours do, so that they could look back farther.
	decoderWindow = 64 << 20
	// decoderMemory is more than any length that a caller asks for; the capacity that it gives is the limit.
	decoderMemory = 1 << 30
)

// newDecoder makes a decoder that works alone, in the goroutine that calls it, and writes nowhere but into the capacity
// that it is given.
func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(decoderWindow),
		zstd.WithDecoderMaxMemory(decoderMemory),
		zstd.WithDecodeAllCapLimit(true),
	)
	if err != nil {
		panic(err) // only impossible options are refused
	}
	return d
}
