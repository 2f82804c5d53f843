package seal

import (
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Compression is how much work is put into making data smaller.
type Compression uint8

// The levels. Auto is the fastest one, and keeps data as it is where that saves too little to be worth the reader's
// time; the others keep it only where they save nothing.
const (
	Auto Compression = iota
	Off
	Fastest
	Default
	Better
)

// fastestLiterals is Fastest that also looks for bytes that are more frequent than others where nothing repeats, as in tables
// of numbers. Of noise it is three times as slow, which is told apart before.
const fastestLiterals = Better + 1

// The methods of Compress, the first byte of its result.
const (
	methodStored = 0
	methodZstd   = 1
)

// minSavings is the part of the plaintext, 1/n, that Auto wants to save.
const minSavings = 64

// encoders and decoders are free lists: an encoder has tables of up to a few MiB, and filling one anew for each segment
// would cost more than compressing. The collector empties that of decoders when they are idle.
var (
	encoders [fastestLiterals + 1]encoderList
	decoders sync.Pool
)

// Compress appends plain to dst as one byte for the method and the data, stored or as a zstd frame.
func Compress(dst, plain []byte, c Compression) []byte {
	start := len(dst)
	dst = append(dst, methodZstd)
	if out, ok := Shrink(dst, plain, c); ok {
		return out
	}
	return append(append(dst[:start], methodStored), plain...)
}

// Decompress appends to dst what Compress made of length bytes. Anything else is ErrDamaged, and leaves dst as it was.
// It allocates no more than what length bytes need, and that at once: callers bound length first.
func Decompress(dst []byte, data []byte, length int) ([]byte, error) {
	switch {
	case len(data) == 0 || length < 0:
		return dst, fmt.Errorf("%w: no compressed data", ErrDamaged)
	case data[0] == methodStored:
		if len(data)-1 != length {
			return dst, fmt.Errorf("%w: %d bytes are stored where there should be %d", ErrDamaged, len(data)-1, length)
		}
		return append(dst, data[1:]...), nil
	case data[0] == methodZstd:
		return Expand(dst, data[1:], length)
	}
	return dst, fmt.Errorf("%w: unknown compression method %d", ErrDamaged, data[0])
}

// Shrink appends plain to dst as a zstd frame and tells whether that pays; if not, dst is as it was. The frame is always
// shorter than plain.
func Shrink(dst, plain []byte, c Compression) ([]byte, bool) {
	if c == Off || len(plain) == 0 {
		return dst, false
	}
	limit := len(plain) - 1
	if c == Auto || c > Better {
		c, limit = Fastest, limit-len(plain)/minSavings
	}
	if c == Fastest && !even(plain) {
		c = fastestLiterals
	}
	e := encoders[c].take(c)
	out := e.EncodeAll(plain, dst)
	encoders[c].give(e)
	if len(out)-len(dst) > limit {
		return dst, false
	}
	return out, true
}

// Expand appends to dst the length bytes that Shrink made a frame of. Anything else is ErrDamaged, and leaves dst as it
// was. It allocates no more than what length bytes need, and that at once: callers bound length first.
func Expand(dst, frame []byte, length int) ([]byte, error) {
	if length < 0 {
		return dst, fmt.Errorf("%w: a frame of %d bytes", ErrDamaged, length)
	}
	dst = slices.Grow(dst, length)
	d, _ := decoders.Get().(*zstd.Decoder)
	if d == nil {
		d = newDecoder()
	}
	end := len(dst) + length
	out, err := d.DecodeAll(frame, dst[:len(dst):end])
	decoders.Put(d)
	if err != nil {
		return dst, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if len(out) != end {
		return dst, fmt.Errorf("%w: %d bytes instead of %d", ErrDamaged, len(out)-len(dst), length)
	}
	return dst[:end], nil
}
