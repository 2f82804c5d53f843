package main

import (
	"bytes"
	"fmt"
	"math"
)

// The drawing area of the plot, in pixels.
const (
	plotLeft, plotTop     = 70.0, 30.0
	plotWidth, plotHeight = 520.0, 320.0
)

// curve is one line of the plot.
type curve struct {
	name, colour string
	dashed       bool
	points       [][2]float64 // files, seconds
}

// growthPlot draws the seconds of backups over the number of files, both logarithmic, as SVG; nil if there is nothing to draw.
func growthPlot(s *settings, r results) []byte {
	var curves []curve
	for _, k := range []curve{
		{name: "bus3 sqlite", colour: "#1f77b4"}, {name: "bus3 postgres", colour: "#d62728"},
	} {
		for _, step := range []string{"first", "unchanged"} {
			c := curve{name: k.name + ", " + step, colour: k.colour, dashed: step == "unchanged"}
			for _, n := range s.Growth {
				if seconds, ok := r.median(growthName(step, n), k.name); ok && seconds > 0 {
					c.points = append(c.points, [2]float64{float64(n), seconds})
				}
			}
			if len(c.points) > 1 {
				curves = append(curves, c)
			}
		}
	}
	if len(curves) == 0 {
		return nil
	}
	return draw(curves)
}

// axis is a logarithmic axis over whole decades.
type axis struct{ low, high float64 } // exponents of ten

func axisOf(curves []curve, i int) axis {
	a := axis{math.Inf(1), math.Inf(-1)}
	for _, c := range curves {
		for _, p := range c.points {
			a.low = min(a.low, math.Floor(math.Log10(p[i])))
			a.high = max(a.high, math.Ceil(math.Log10(p[i])))
		}
	}
	if a.low == a.high {
		a.high++
	}
	return a
}

// at is where a value is on the axis, from 0 to 1.
func (a axis) at(v float64) float64 { return (math.Log10(v) - a.low) / (a.high - a.low) }

func draw(curves []curve) []byte {
	var out bytes.Buffer
	x, y := axisOf(curves, 0), axisOf(curves, 1)
	px := func(v float64) float64 { return plotLeft + plotWidth*x.at(v) }
	py := func(v float64) float64 { return plotTop + plotHeight*(1-y.at(v)) }
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n",
		plotLeft+plotWidth+30, plotTop+plotHeight+60+18*float64(len(curves)))
	fmt.Fprint(&out, `<rect width="100%" height="100%" fill="white"/>`+"\n")
	grid := func(x1, y1, x2, y2 float64) {
		fmt.Fprintf(&out, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", x1, y1, x2, y2)
	}
	for e := x.low; e <= x.high; e++ {
		v := math.Pow(10, e)
		grid(px(v), plotTop, px(v), plotTop+plotHeight)
		fmt.Fprintf(&out, `<text x="%.1f" y="%.1f" text-anchor="middle">%.0f files</text>`+"\n", px(v), plotTop+plotHeight+18, v)
	}
	for e := y.low; e <= y.high; e++ {
		v := math.Pow(10, e)
		grid(plotLeft, py(v), plotLeft+plotWidth, py(v))
		fmt.Fprintf(&out, `<text x="%.1f" y="%.1f" text-anchor="end">%g s</text>`+"\n", plotLeft-6, py(v)+4, v)
	}
	for i, c := range curves {
		dash := ""
		if c.dashed {
			dash = ` stroke-dasharray="6 4"`
		}
		fmt.Fprintf(&out, `<polyline fill="none" stroke="%s" stroke-width="2"%s points="`, c.colour, dash)
		for _, p := range c.points {
			fmt.Fprintf(&out, "%.1f,%.1f ", px(p[0]), py(p[1]))
		}
		fmt.Fprint(&out, `"/>`+"\n")
		base := plotTop + plotHeight + 45 + 18*float64(i)
		fmt.Fprintf(&out, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2"%s/>`, plotLeft, base-4, plotLeft+40, base-4, c.colour, dash)
		fmt.Fprintf(&out, `<text x="%.1f" y="%.1f">%s</text>`+"\n", plotLeft+50, base, c.name)
	}
	fmt.Fprint(&out, "</svg>\n")
	return out.Bytes()
}
