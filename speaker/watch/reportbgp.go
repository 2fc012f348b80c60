package watch

import (
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/heraldlb/herald/api/v1beta1"
	"github.com/heraldlb/herald/speaker/desired"
)

// maxRefusals bounds the refusals in a SpeakerStatus. The summary counts all.
const maxRefusals = 100

// speak puts sessions into a report in the place of those it has.
func (r *report) speak(sessions []BGPSession) {
	s := &r.status
	s.BGPSessions, s.BFDSessions = nil, nil
	s.Summary.BGPSessions, s.Summary.BGPEstablished = int32(len(sessions)), 0
	for i := range sessions {
		b := &sessions[i]
		if b.State == established {
			s.Summary.BGPEstablished++
		}
		address := ""
		if b.Address.IsValid() {
			address = b.Address.String()
		}
		s.BGPSessions = append(s.BGPSessions, v1beta1.BGPSessionStatus{
			Peer: b.Peer, Address: address, State: b.State, Since: seconds(b.Since),
			LastError: shorten(b.LastError), PrefixesSent: int32(b.PrefixesSent),
		})
		if b.BFD != nil {
			s.BFDSessions = append(s.BFDSessions, bfdStatus(b, address))
		}
	}
}

// bfdStatus returns the status of what watches a session.
func bfdStatus(b *BGPSession, address string) v1beta1.BFDSessionStatus {
	return v1beta1.BFDSessionStatus{
		Peer: b.Peer, Profile: b.BFD.Profile, Address: address, State: b.BFD.State,
		Since: seconds(b.BFD.Since), Diagnostic: b.BFD.Diagnostic,
		DetectionTime:    milliseconds(b.BFD.Detection),
		TransmitInterval: milliseconds(b.BFD.Transmit),
		ReceiveInterval:  milliseconds(b.BFD.Receive),
	}
}

// milliseconds returns a time as the API has it.
func milliseconds(d time.Duration) int32 { return int32(d.Milliseconds()) }

// maxError is how long an error in a status is at most; the schema states it.
const maxError = 1024

// shorten cuts a text that is too long for the API, between characters.
func shorten(text string) string {
	const more = "…"
	if len(text) <= maxError {
		return text
	}
	end := maxError - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// refuse puts refusals into a report, as many as there is room for.
func (r *report) refuse(refused []desired.Refusal) {
	for _, f := range refused[:min(len(refused), maxRefusals)] {
		r.status.BGPRefusals = append(r.status.BGPRefusals, v1beta1.BGPRefusal{
			Prefix: f.Prefix.String(), Peer: f.Peer, Advertisement: f.Advertisement, InForce: f.InForce,
		})
	}
}

// routersOf returns references to BGPPeers by their names.
func routersOf(peers []v1beta1.BGPPeer) map[string]corev1.ObjectReference {
	out := make(map[string]corev1.ObjectReference, len(peers))
	for i := range peers {
		p := &peers[i]
		out[p.Name] = corev1.ObjectReference{
			APIVersion: v1beta1.GroupVersion.String(), Kind: v1beta1.KindBGPPeer, Name: p.Name, UID: p.UID,
		}
	}
	return out
}
