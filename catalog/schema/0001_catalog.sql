-- The catalog's tables, in the words of SQLite; package schema turns the few that differ into PostgreSQL's.
-- Every ID is (number of a scan) << 36 | counter. NULL stands for "none", which takes no room in either engine.
-- Strings are bytes: names on disk need not be UTF-8. Times are nanoseconds since 1970. Unsigned numbers are kept in
-- signed columns of the same width (uid 4294967294 is -2).

CREATE TABLE repository (
	one SMALLINT PRIMARY KEY CHECK (one = 1), -- one row at the most
	id  BLOB NOT NULL
);

CREATE TABLE source (
	id   INTEGER PRIMARY KEY,
	host BLOB NOT NULL,
	root BLOB NOT NULL
);

CREATE TABLE scan (
	number   INTEGER PRIMARY KEY,
	source   BIGINT NOT NULL,
	started  BIGINT NOT NULL,
	finished BIGINT NOT NULL, -- 0: not yet
	state    SMALLINT NOT NULL, -- 1 incomplete, 2 partial, 3 complete
	tags     BLOB NOT NULL, -- each with its length (unsigned LEB128) before it
	program  BLOB NOT NULL,
	parts    BIGINT NOT NULL, -- journal objects applied
	digest   BLOB NOT NULL, -- of the last of them
	files          BIGINT NOT NULL DEFAULT 0,
	dirs           BIGINT NOT NULL DEFAULT 0,
	others         BIGINT NOT NULL DEFAULT 0,
	entries_new    BIGINT NOT NULL DEFAULT 0,
	changed        BIGINT NOT NULL DEFAULT 0,
	unchanged      BIGINT NOT NULL DEFAULT 0,
	removed        BIGINT NOT NULL DEFAULT 0,
	bytes          BIGINT NOT NULL DEFAULT 0,
	bytes_read     BIGINT NOT NULL DEFAULT 0,
	bytes_new      BIGINT NOT NULL DEFAULT 0,
	bytes_stored   BIGINT NOT NULL DEFAULT 0,
	objects        BIGINT NOT NULL DEFAULT 0,
	problems       BIGINT NOT NULL DEFAULT 0,
	entries_opened BIGINT NOT NULL DEFAULT 0,
	entries_closed BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX scan_of_source ON scan (source, number);

CREATE TABLE problem (
	scan    BIGINT NOT NULL,
	part    BIGINT NOT NULL,
	number  BIGINT NOT NULL, -- within the part
	path    BLOB NOT NULL,
	message BLOB NOT NULL,
	PRIMARY KEY (scan, part, number)
) WITHOUT ROWID;

CREATE TABLE entry (
	id         INTEGER PRIMARY KEY, -- its scan is the first in which the entry was so
	source     BIGINT NOT NULL,
	dir        BIGINT NOT NULL, -- ino of the directory; of the root of a tree: minus its source
	ino        BIGINT NOT NULL, -- identity of what the name refers to
	size       BIGINT NOT NULL,
	mtime      BIGINT NOT NULL,
	ctime      BIGINT NOT NULL,
	dev        BIGINT NOT NULL, -- st_dev of the source
	source_ino BIGINT NOT NULL, -- st_ino of the source
	last       BIGINT, -- the last scan in which it was so; NULL: open
	data       BIGINT, -- a chunk, or minus a content
	owner      BIGINT, -- a value
	xattrs     BIGINT, -- a value
	rdev       BIGINT,
	uid        INT4 NOT NULL,
	gid        INT4 NOT NULL,
	nlink      INT4 NOT NULL,
	kind       SMALLINT NOT NULL, -- 1 file, 2 directory, 3 symlink, 4 FIFO, 5 socket, 6 and 7 devices
	mode       SMALLINT NOT NULL,
	flags      SMALLINT,
	name       BLOB NOT NULL,
	target     BLOB -- symlinks only
);
-- What is open is listed by (dir, name), as the newest scan and the next one want it; what was closed by when that was:
-- so the newest scan never meets what is history, and an old one meets only what ended after it.
CREATE INDEX entry_open ON entry (dir, name) WHERE last IS NULL;
CREATE INDEX entry_closed ON entry (dir, last) WHERE last IS NOT NULL;
CREATE INDEX entry_directory ON entry (ino, last) WHERE kind = 2;
CREATE INDEX entry_moved ON entry (source_ino, source) WHERE last IS NULL;

-- Six bytes of a hash tell chunks apart well enough for an index; the rest is compared in the row.
CREATE TABLE chunk (
	id      INTEGER PRIMARY KEY,
	segment BIGINT NOT NULL,
	start   BIGINT NOT NULL, -- in the segment's plaintext
	length  BIGINT NOT NULL,
	hash    BLOB NOT NULL -- keyed BLAKE3-256
);
CREATE INDEX chunk_by_hash ON chunk (substr(hash, 1, 6));
CREATE INDEX chunk_by_segment ON chunk (segment);

CREATE TABLE segment (
	id     INTEGER PRIMARY KEY,
	pack   BIGINT NOT NULL,
	number BIGINT NOT NULL, -- in the pack, from 0
	start  BIGINT NOT NULL, -- in the pack
	stored BIGINT NOT NULL,
	length BIGINT NOT NULL
);
CREATE INDEX segment_by_pack ON segment (pack);

CREATE TABLE pack (
	id       INTEGER PRIMARY KEY,
	size     BIGINT NOT NULL,
	verified BIGINT, -- when all of it was last read and found right
	key      BLOB NOT NULL -- 16 bytes: its name in the store
);

CREATE TABLE piece (
	content BIGINT NOT NULL,
	start   BIGINT NOT NULL, -- in the file
	chunk   BIGINT NOT NULL,
	PRIMARY KEY (content, start)
) WITHOUT ROWID;

CREATE TABLE value (
	id    INTEGER PRIMARY KEY,
	hash  BLOB NOT NULL, -- SHA-256
	bytes BLOB NOT NULL
);
CREATE INDEX value_by_hash ON value (substr(hash, 1, 6));
