package schema

import "testing"

// Whoever declares a kind of gap describes it.
func TestGapKinds_AreAllDescribed(t *testing.T) {
	var listed []string
	for _, k := range GapKinds() {
		listed = append(listed, string(k.Kind))
		info, known := k.Kind.Info()
		if !known || info != k || !k.Kind.WellFormed() || k.Doc == "" || k.Remedy == "" {
			t.Errorf("%s: described as %+v, known %t", k.Kind, k, known)
		}
		if k.Noticer != NoticedBySampler && k.Noticer != NoticedByProjector && k.Noticer != NoticedByLog && k.Noticer != NoticedByBundle {
			t.Errorf("%s: noticed by %q", k.Kind, k.Noticer)
		}
		if k.Loss != LossCertain && k.Loss != LossPossible && k.Loss != LossNone {
			t.Errorf("%s: something is missing: %q", k.Kind, k.Loss)
		}
	}
	checkListed(t, constants(t, "gap_kind.go", "GapKind"), listed)
	if _, known := GapKind("flight").Info(); known {
		t.Error("a kind that does not exist is known")
	}
}
