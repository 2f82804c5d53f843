package show

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Now is how far a long piece of work has come.
type Now struct {
	Files, Bytes           int64 // done
	TotalFiles, TotalBytes int64 // known of so far; 0 if unknown
	Current                string
	One, Many              string // what is counted; "file" and "files" if empty
}

// Progress draws one line on a terminal: what is done, how fast, how long it will take. Until Start nothing is drawn.
// It may be used by several goroutines.
type Progress struct {
	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	w     io.Writer
	title string
	stop  chan struct{}
	done  chan struct{}
}

// interval between two drawings: quick enough to look alive, slow enough to cost nothing.
const interval = 200 * time.Millisecond

// Start draws what now returns on w until Stop.
func Start(w io.Writer, title string, now func() Now) *Progress {
	p := &Progress{w: w, title: title, stop: make(chan struct{}), done: make(chan struct{})}
	p.bar = progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetDescription(title), progressbar.OptionSetPredictTime(true), progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetWidth(20), progressbar.OptionThrottle(interval/2), progressbar.OptionClearOnFinish(),
		progressbar.OptionSpinnerType(14), progressbar.OptionSetSpinnerChangeInterval(0), progressbar.OptionSetElapsedTime(true))
	go p.run(now)
	return p
}

func (p *Progress) run(now func() Now) {
	defer close(p.done)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.draw(now())
		}
	}
}

func (p *Progress) draw(n Now) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.One == "" {
		n.One, n.Many = "file", "files"
	}
	files := Plural(n.Files, n.One, n.Many)
	if n.TotalFiles > n.Files {
		files = fmt.Sprintf("%s of %s %s", Count(n.Files), Count(n.TotalFiles), n.Many)
	}
	// The bar must not reach its end before the work does, and it may know of less than is done already.
	if n.TotalBytes > n.Bytes {
		p.bar.ChangeMax64(n.TotalBytes)
	} else if n.TotalBytes > 0 {
		p.bar.ChangeMax64(n.Bytes + 1)
	}
	p.bar.Describe(p.title + " " + files)
	_ = p.bar.Set64(n.Bytes) // what cannot be drawn is not worth failing for
}

// Print writes a line above the progress.
func (p *Progress) Print(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Clear()
	_, _ = fmt.Fprintln(p.w, line)
}

// Stop ends the drawing and clears the line.
func (p *Progress) Stop() {
	close(p.stop)
	<-p.done
	_ = p.bar.Clear()
}
