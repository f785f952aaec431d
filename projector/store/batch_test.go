package store

import (
	"reflect"
	"testing"
)

// Reset empties every list, every map and the counts, whatever the batch holds.
func TestBatch_Reset(t *testing.T) {
	b := NewBatch()
	fillBatch(t, b)
	if full := filledFields(b); len(full) != reflect.TypeFor[Batch]().NumField() {
		t.Fatalf("only %q are filled: this test catches nothing in the others", full)
	}
	b.Reset()
	for _, name := range filledFields(b) {
		t.Errorf("%s is not empty: Reset of projector/store/batch.go forgets it", name)
	}
}

// fillBatch puts one zero element into every list and map of a batch, a one into every count, and true into what is so or not.
func fillBatch(t *testing.T, b *Batch) {
	t.Helper()
	v := reflect.ValueOf(b).Elem()
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		switch f.Kind() {
		case reflect.Slice:
			f.Set(reflect.Append(f, reflect.Zero(f.Type().Elem())))
		case reflect.Map:
			if f.IsNil() {
				t.Fatalf("%s: NewBatch of projector/store/batch.go does not make this map", name)
			}
			f.SetMapIndex(reflect.Zero(f.Type().Key()), reflect.Zero(f.Type().Elem()))
		case reflect.Struct:
			for j := range f.NumField() {
				f.Field(j).SetUint(1)
			}
		case reflect.Bool:
			f.SetBool(true)
		default:
			t.Fatalf("%s: say in projector/store/batch_test.go how to fill a %s", name, f.Kind())
		}
	}
}

// filledFields are the names of the fields of a batch that hold something.
func filledFields(b *Batch) (names []string) {
	v := reflect.ValueOf(b).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if holds := f.Kind() == reflect.Slice || f.Kind() == reflect.Map; holds && f.Len() > 0 || !holds && !f.IsZero() {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	return names
}
