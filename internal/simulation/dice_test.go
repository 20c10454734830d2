package simulation

// dice are the random numbers of a run (SplitMix64): a run asks for some twenty of them an event.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// IntN returns a number from 0 to n-1; n is below 1 << 32.
func (d *dice) IntN(n int) int { return int(d.next() >> 32 * uint64(n) >> 32) }

// Uint64N is IntN.
func (d *dice) Uint64N(n uint64) uint64 { return d.next() >> 32 * n >> 32 }

// Shuffle puts n things into another order.
func (d *dice) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, d.IntN(i+1))
	}
}
