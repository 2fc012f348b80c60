package bfd

import "container/heap"

// A queue is a heap of sessions with something to do, the most urgent first.
type queue []*session

// fix puts s to its place after its due time has changed, or takes it out.
func (q *queue) fix(s *session, wanted bool) {
	switch {
	case wanted && s.position < 0:
		heap.Push(q, s)
	case wanted:
		heap.Fix(q, s.position)
	case s.position >= 0:
		heap.Remove(q, s.position)
	}
}

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].position, q[j].position = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	s := x.(*session)
	s.position = len(*q)
	*q = append(*q, s)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	s.position = -1
	return s
}
