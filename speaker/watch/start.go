package watch

import "time"

// settleLimit bounds how long a starting speaker looks for the others.
const settleLimit = 2 * time.Second

// Stages of a start, in order. Nothing is announced before stageOpen.
const (
	stageCluster stage = iota // the cluster has not been read yet
	stageKey                  // the key of the gossip is awaited
	stageSettle               // the other speakers are looked for
	stageOpen                 // announcements follow the cluster
)

// A stage is how far a speaker has come since its start.
type stage int32

// String returns what is being done in the stage.
func (s stage) String() string {
	switch s {
	case stageCluster:
		return "reading the cluster"
	case stageKey:
		return "waiting for the gossip key"
	case stageSettle:
		return "looking for the other speakers"
	case stageOpen:
		return "open"
	default:
		return "unset"
	}
}

// A start holds announcements back until the other speakers have been looked
// for, so that a speaker that starts again does not claim what another holds.
// It is pure; once open it stays open. The zero start has not read the cluster.
type start struct {
	stage stage
	// deadline is when stageSettle ends, with the others found or not.
	deadline time.Time
}

// advance takes note of what is known once the cluster has been read: whether
// the key has been handed to the members, and whether they have settled. When
// the speaker has to wait for a point in time it returns how long.
func (s *start) advance(now time.Time, keyed, settled bool) (wait time.Duration) {
	s.stage = max(s.stage, stageKey)
	if s.stage == stageKey && keyed {
		s.stage, s.deadline = stageSettle, now.Add(settleLimit)
	}
	if s.stage != stageSettle {
		return 0
	}
	if settled || !now.Before(s.deadline) {
		s.stage = stageOpen
		return 0
	}
	return s.deadline.Sub(now)
}
