package sentry

// A state is what a sentry thinks of a node that it watches.
type state uint8

// The states.
const (
	// stateWaiting: its session has not been up since this node began to watch
	// it, or since it was closed in good order, or a packet of it came late, or
	// this node was cut off itself. Nothing follows from silence.
	stateWaiting state = iota + 1
	// stateUp: its packets arrive.
	stateUp
	// stateDown: its packets have ceased, but the watcher itself stood still
	// and does not trust its own eyes yet.
	stateDown
	// stateConfirming: its packets have ceased, and its kernel is being asked.
	stateConfirming
	// stateSilent: its packets have ceased, and its kernel does not answer.
	stateSilent
	// stateExcused: its packets have ceased, but its kernel answers, or never
	// did when they still arrived.
	stateExcused
)

// String returns the name of a state.
func (s state) String() string {
	switch s {
	case stateWaiting:
		return "Waiting"
	case stateUp:
		return "Up"
	case stateDown:
		return "Down"
	case stateConfirming:
		return "Confirming"
	case stateSilent:
		return "Silent"
	case stateExcused:
		return "Excused"
	default:
		return "NotSet"
	}
}

// An outcome is what became of asking the kernel of a node whether it is there.
type outcome uint8

// The outcomes.
const (
	// outcomeAnswered: it is there.
	outcomeAnswered outcome = iota + 1
	// outcomeUnanswered: all attempts were sent, and nothing came back.
	outcomeUnanswered
	// outcomeUnknown: it could not be asked, for a reason on this side: no
	// route, no address, or an interface that is down.
	outcomeUnknown
)

// String returns the name of an outcome.
func (o outcome) String() string {
	switch o {
	case outcomeAnswered:
		return "Answered"
	case outcomeUnanswered:
		return "Unanswered"
	case outcomeUnknown:
		return "Unknown"
	default:
		return "NotSet"
	}
}
