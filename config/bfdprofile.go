package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/heraldlb/herald/api/v1beta1"
)

// profiles are the accepted BFDProfiles by name, and the names of all.
type profiles struct {
	accepted map[string]*BFDProfile
	given    map[string]bool
}

// profiles judges all BFDProfiles.
func (j *judgment) profiles(objects []v1beta1.BFDProfile) profiles {
	meta := func(o *v1beta1.BFDProfile) *metav1.ObjectMeta { return &o.ObjectMeta }
	list := judge(j, v1beta1.KindBFDProfile, objects, meta,
		func(o *v1beta1.BFDProfile, f *findings) BFDProfile { return f.bfdProfile(o) })
	p := profiles{
		accepted: map[string]*BFDProfile{},
		given:    names(objects, func(o *v1beta1.BFDProfile) string { return o.Name }),
	}
	for i := range list {
		p.accepted[list[i].Name] = &list[i]
	}
	return p
}

// bfdProfile judges one BFDProfile. Zero is a field that was left out where no
// API server filled in its default.
func (f *findings) bfdProfile(o *v1beta1.BFDProfile) BFDProfile {
	interval := func(field string, value int32) time.Duration {
		return time.Duration(f.number(field, value, limits{10, 60000, v1beta1.DefaultBFDInterval})) * time.Millisecond
	}
	return BFDProfile{
		Name:             o.Name,
		ReceiveInterval:  interval("spec.receiveInterval", o.Spec.ReceiveInterval),
		TransmitInterval: interval("spec.transmitInterval", o.Spec.TransmitInterval),
		DetectMultiplier: uint8(f.number("spec.detectMultiplier", o.Spec.DetectMultiplier,
			limits{2, 255, v1beta1.DefaultDetectMultiplier})),
		PassiveMode: o.Spec.PassiveMode,
		MinimumTTL:  uint8(f.number("spec.minimumTTL", o.Spec.MinimumTTL, limits{1, 254, v1beta1.DefaultMinimumTTL})),
	}
}

// limits bound a number; zero stands for byDefault.
type limits struct{ least, most, byDefault int32 }

// number judges a number that has a default. The result is within the limits
// whatever the value is.
func (f *findings) number(field string, value int32, l limits) int32 {
	if value == 0 {
		return l.byDefault
	}
	if value < l.least || value > l.most {
		f.reject(InvalidValue, field, value, "must be from %d to %d", l.least, l.most)
	}
	return min(max(value, l.least), l.most)
}
