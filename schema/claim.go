package schema

import (
	"bytes"
	"encoding/json"

	"github.com/proctape/proctape/schema/wire"
)

// Claim is what a message says of itself in its envelope: whose it is, and which numbers it holds.
type Claim struct {
	Host     string
	Kind     Kind
	Instance Instance
	Seq      uint64
	Count    uint64 // items; 1 when that cannot be read
}

// ReadClaim reads the claim of a message that cannot be decoded. ok is false when that cannot be read either.
func ReadClaim(contentType, encoding string, payload []byte) (c Claim, ok bool) {
	plain, codec, err := open(contentType, encoding, payload)
	switch {
	case err != nil || len(plain) > MaxMessage:
		return Claim{}, false
	case codec == JSON:
		c = claimOfJSON(plain)
	default:
		c = claimOfMsgpack(plain)
	}
	c.Count = min(max(c.Count, 1), MaxEvents)
	return c, c.Host != "" && c.Instance != Instance{} && 0 < c.Seq && c.Seq <= maxNumber
}

// claimOfJSON reads the keys of a message until one that is no JSON.
func claimOfJSON(b []byte) (c Claim) {
	if len(b) > MaxJSON {
		return Claim{}
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return Claim{}
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return c
		}
		switch key {
		case "host":
			err = d.Decode(&c.Host)
		case "kind":
			err = d.Decode(&c.Kind)
		case "instance":
			err = d.Decode(&c.Instance)
		case "seq":
			err = d.Decode(&c.Seq)
		case "events", "execs", "gaps", "jobs":
			var items []json.RawMessage
			err = d.Decode(&items)
			c.Count = uint64(len(items))
		default:
			var other json.RawMessage
			err = d.Decode(&other)
		}
		if _, isOfAnotherType := err.(*json.UnmarshalTypeError); err != nil && !isOfAnotherType {
			return c
		}
	}
	return c
}

// claimOfMsgpack reads the envelope of a message of this version.
func claimOfMsgpack(b []byte) (c Claim) {
	r := wire.NewReader(b)
	r.Open(maxFields)
	if readInt(r) != Version {
		return Claim{}
	}
	c.Kind, c.Host = Kind(r.String(MaxName)), r.String(MaxName)
	r.Skip() // the boot
	readInstance(r, &c.Instance)
	if c.Seq = r.Uint(); r.Err() != nil {
		return Claim{}
	}
	for range 4 { // the times, what was produced and dropped
		r.Skip()
	}
	if body := c.Kind.Body(); body != BodySnapshot && body != BodyRollup && body != BodyRun && body != BodyAnomaly {
		n, _ := r.Open(MaxEvents)
		c.Count = uint64(n)
	}
	return c
}
