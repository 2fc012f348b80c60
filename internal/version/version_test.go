package version

import (
	"runtime/debug"
	"testing"
)

func TestFromBuild(t *testing.T) {
	setting := func(k, v string) debug.BuildSetting { return debug.BuildSetting{Key: k, Value: v} }
	tests := []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{name: "nothing known", want: "devel"},
		{name: "a module version", info: debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, want: "v1.2.3"},
		{
			name: "a revision",
			info: debug.BuildInfo{
				Main:     debug.Module{Version: "(devel)"},
				Settings: []debug.BuildSetting{setting("vcs.revision", "0123456789abcdef")},
			},
			want: "devel-0123456789ab",
		},
		{
			name: "a changed tree",
			info: debug.BuildInfo{Settings: []debug.BuildSetting{
				setting("vcs.revision", "0123"), setting("vcs.modified", "true"),
			}},
			want: "devel-0123-dirty",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fromBuild(&tt.info); got != tt.want {
				t.Errorf("fromBuild = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStringIsNeverEmpty(t *testing.T) {
	if String() == "" {
		t.Error("String is empty")
	}
}
