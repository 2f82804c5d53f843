package relational

// Buffer holds rows between the database and the callback that they are meant for, so that no connection waits for a
// callback: callbacks may be slow, and may query the catalog themselves.
type Buffer struct {
	cells []int64 // an integer, or offset<<32 | length of bytes in data
	data  []byte
}

// bufferCells and bufferBytes are when a buffer is delivered: the listing of an ordinary directory fits.
const (
	bufferCells = 64 << 10 // 512 KiB: 2,900 entries
	bufferBytes = 256 << 10
)

// Int adds the next column of a row.
func (b *Buffer) Int(v int64) { b.cells = append(b.cells, v) }

// Bytes adds the next column of a row.
func (b *Buffer) Bytes(v []byte) {
	b.cells = append(b.cells, int64(len(b.data))<<32|int64(len(v)))
	b.data = append(b.data, v...)
}

// Grow adds the next column of a row, n bytes, for the caller to fill at once.
func (b *Buffer) Grow(n int) []byte {
	b.cells = append(b.cells, int64(len(b.data))<<32|int64(n))
	at := len(b.data)
	if need := at + n; need > cap(b.data) {
		b.data = append(make([]byte, 0, max(need, 2*cap(b.data))), b.data...)
	}
	b.data = b.data[:at+n]
	return b.data[at:]
}

func (b *Buffer) full() bool { return len(b.cells) >= bufferCells || len(b.data) >= bufferBytes }

func (b *Buffer) reset() { b.cells, b.data = b.cells[:0], b.data[:0] }

// Row is one row of a query's result, valid until the callback returns.
type Row struct {
	cells []int64
	data  []byte
}

// Int is the integer in column i, of shape 'i'.
func (r *Row) Int(i int) int64 { return r.cells[i] }

// Bytes are the bytes in column i, of shape 'b'.
func (r *Row) Bytes(i int) []byte {
	c := r.cells[i]
	return r.data[c>>32:][:c&(1<<32-1)]
}

// Cursor is a running query.
type Cursor interface {
	// Next adds one row to the buffer; false at the end.
	Next(*Buffer) (bool, error)
	// Detach is called once, before the first callback that runs while the query is not at its end: others must not have
	// to wait for this cursor's connection from now on.
	Detach()
	// Close ends the query and gives its connection back. It may be called again.
	Close() error
}

// Stream gives all rows of c, of width columns, to each, and closes c.
func Stream(c Cursor, width int, each func(*Row) error) (err error) {
	defer func() {
		if cerr := c.Close(); err == nil {
			err = cerr
		}
	}()
	b := Buffer{cells: make([]int64, 0, 16*width), data: make([]byte, 0, 512)} // a small directory, without growing
	for detached := false; ; {
		more := true
		for more && !b.full() {
			if more, err = c.Next(&b); err != nil {
				return err
			}
		}
		if !more {
			if err := c.Close(); err != nil {
				return err
			}
		} else if !detached {
			c.Detach()
			detached = true
		}
		row := Row{data: b.data}
		for at := 0; at < len(b.cells); at += width {
			row.cells = b.cells[at : at+width]
			if err := each(&row); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		b.reset()
	}
}
