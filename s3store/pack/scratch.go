package pack

import "sync"

// buffers hold decrypted segments for as long as it takes to decompress them. Larger ones than bufferLimit are rare and
// are left to the collector.
var buffers sync.Pool

const bufferLimit = 4 << 20

func borrow(size int) *[]byte {
	buf, _ := buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	if cap(*buf) < size {
		*buf = make([]byte, 0, max(size, SegmentSize))
	}
	return buf
}

func giveBack(buf *[]byte) {
	if cap(*buf) <= bufferLimit {
		buffers.Put(buf)
	}
}
