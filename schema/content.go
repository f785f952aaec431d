package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// typeOf returns the content type of a payload that is not compressed: TypeMsgpack or TypeJSON. A header that the payload
// cannot be of is an error that says what the payload looks like.
func typeOf(header string, payload []byte) (string, error) {
	name, _, _ := strings.Cut(header, ";") // parameters follow, such as a charset
	looks := looksLike(payload)
	switch name = strings.ToLower(strings.TrimSpace(name)); {
	case name == "" && looks == TypeJSON, name == TypeJSON && looks != TypeMsgpack:
		return TypeJSON, nil
	case name == "" && len(payload) == 0:
		return "", errors.New("the message is empty")
	case name == "" && bytes.HasPrefix(payload, []byte("\xef\xbb\xbf")):
		return "", errors.New("decode JSON: the message begins with a byte order mark: leave it out")
	case name == "" && looks == "" && json.Valid(payload):
		return "", errors.New("decode JSON: the message is JSON, but no object")
	case name == "", name == TypeMsgpack && looks != TypeJSON:
		return TypeMsgpack, nil
	case name == TypeMsgpack:
		return "", fmt.Errorf("decode msgpack: the message looks like JSON: set its %s to %s, or leave it out", HeaderType, TypeJSON)
	case name == TypeJSON:
		return "", fmt.Errorf("decode JSON: the message looks like MessagePack: set its %s to %s, or leave it out", HeaderType, TypeMsgpack)
	}
	err := fmt.Errorf("content type %.80q is neither %s nor %s", header, TypeMsgpack, TypeJSON)
	if looks != "" {
		return "", fmt.Errorf("%w: the message looks like %s", err, looks)
	}
	return "", err
}

// looksLike returns the content type that the first byte of a payload speaks for: a bracket, behind blanks, for JSON, and the
// head of an array for MessagePack. It is empty when neither is there.
func looksLike(payload []byte) string {
	rest := bytes.TrimLeft(payload, " \t\r\n")
	switch {
	case len(rest) == 0:
	case rest[0] == '{', rest[0] == '[':
		return TypeJSON
	case payload[0]&0xf0 == 0x90, payload[0] == 0xdc, payload[0] == 0xdd:
		return TypeMsgpack
	}
	return ""
}

// notCompressed says why a payload cannot be decompressed, and what it looks like.
func notCompressed(payload []byte, err error) error {
	if looks := looksLike(payload); looks != "" {
		return fmt.Errorf("decompress: %w: the message looks like %s that is not compressed: leave %s out", err, looks, HeaderEncoding)
	}
	return fmt.Errorf("decompress: %w", err)
}

// plainJSON says in plain words why JSON cannot be decoded. The package's own words are of Go.
func plainJSON(err error) error {
	var typed *json.UnmarshalTypeError
	if !errors.As(err, &typed) {
		return err
	}
	want := "an object"
	switch typed.Type.Kind() {
	case reflect.String:
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		want = "a whole number in its range"
	case reflect.Float32, reflect.Float64:
		want = "a number"
	}
	if typed.Field == "" {
		return fmt.Errorf("byte %d: the message is %s, want %s", typed.Offset, typed.Value, want)
	}
	return fmt.Errorf("byte %d: %s is %s, want %s", typed.Offset, typed.Field, typed.Value, want)
}
