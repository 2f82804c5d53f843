package backup

import (
	"sync"

	"github.com/bus3/bus3/catalog"
)

// claims is which identities of directories have their place in this scan: one bit for each, in pages that exist only
// where there is one. Identities of one scan lie close to each other, so this takes little: a bit for each ID that was
// given out near that of a directory. Its zero value is empty and safe for concurrent use.
type claims struct {
	mu    sync.Mutex
	pages map[catalog.ID]*[pageBits / 64]uint64
}

const pageBits = 2048

// claim takes an identity and tells whether it was free.
func (c *claims) claim(id catalog.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	page := c.pages[id/pageBits]
	if page == nil {
		if c.pages == nil {
			c.pages = make(map[catalog.ID]*[pageBits / 64]uint64)
		}
		page = new([pageBits / 64]uint64)
		c.pages[id/pageBits] = page
	}
	word, bit := &page[id%pageBits/64], uint64(1)<<(id%64)
	free := *word&bit == 0
	*word |= bit
	return free
}

// release gives an identity back.
func (c *claims) release(id catalog.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if page := c.pages[id/pageBits]; page != nil {
		page[id%pageBits/64] &^= uint64(1) << (id % 64)
	}
}

// taken tells whether an identity has its place.
func (c *claims) taken(id catalog.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	page := c.pages[id/pageBits]
	return page != nil && page[id%pageBits/64]&(uint64(1)<<(id%64)) != 0
}
