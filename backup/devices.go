package backup

import "sync"

// devices translates the st_dev of mounted file systems into what the catalog calls them. Many file systems get another
// number each time that they are mounted; without this, all that is in them would look new after a reboot. A
// file system is taken for the same if it is mounted at the same directory and its root has the same inode. Its zero value
// is safe for concurrent use.
type devices struct {
	mu    sync.RWMutex
	names map[uint64]uint64 // by the number of now
	used  map[uint64]bool   // what they were translated to
}

// name is what the catalog calls a device.
func (d *devices) name(now uint64) uint64 {
	d.mu.RLock()
	name, known := d.names[now]
	d.mu.RUnlock()
	if known {
		return name
	}
	return d.learn(now, now)
}

// renamed tells whether a device has another number than it had.
func (d *devices) renamed(now uint64) bool { return d.name(now) != now }

// learn notes what the catalog calls a device, unless something is known already, and returns what holds.
func (d *devices) learn(now, before uint64) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if name, known := d.names[now]; known {
		return name
	}
	if d.names == nil {
		d.names, d.used = make(map[uint64]uint64), make(map[uint64]bool)
	}
	for d.used[before] { // the old number of a file system that another one has now
		before ^= 1<<63 | uint64(len(d.used))<<40
	}
	d.names[now], d.used[before] = before, true
	return before
}
