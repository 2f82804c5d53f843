package seal

import "github.com/klauspost/compress/zstd"

// newEncoder makes an encoder that works alone, in the goroutine that calls it. It adds no checksum: what it makes is
// always authenticated.
func newEncoder(c Compression) *zstd.Encoder {
	level := map[Compression]zstd.EncoderLevel{
		Fastest: zstd.SpeedFastest,
		Default: zstd.SpeedDefault,
		Better:  zstd.SpeedBetterCompression,
	}[c]
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level),
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(encoderWindow),
	)
	if err != nil {
		panic(err) // only impossible options are refused
	}
	return e
}

const (
	// encoderWindow is how far back an encoder looks, bytes: a whole segment of usual size, and little memory beyond.
	encoderWindow = 2 << 20
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
