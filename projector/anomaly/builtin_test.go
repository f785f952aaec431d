package anomaly

import "testing"

func TestBuiltIn_Compiles(t *testing.T) {
	rules, err := Compile(BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range rules.list {
		t.Logf("%s %s guards %d", j.Name, j.digest, len(j.when.guards))
	}
}
