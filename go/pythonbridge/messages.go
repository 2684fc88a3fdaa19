// SPDX-License-Identifier: Apache-2.0

package pythonbridge

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of proto/power_estimation.proto that the client needs, on the
// wire; fields it does not know are skipped, as protobuf asks.

type message interface {
	append(b []byte) []byte
	field(number protowire.Number, kind protowire.Type, value []byte) error
}

// codec is grpc's: it goes by the name of the usual one, so that the content type is "proto".
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(message)
	if !ok {
		return nil, fmt.Errorf("no message of this service: %T", v)
	}
	return m.append(nil), nil
}

func (codec) Unmarshal(b []byte, v any) error {
	m, ok := v.(message)
	if !ok {
		return fmt.Errorf("no message of this service: %T", v)
	}
	return eachField(b, m.field)
}

// eachField calls f with every field: the content of length-delimited ones, the bytes of the value of others.
func eachField(b []byte, f func(protowire.Number, protowire.Type, []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(number, kind, b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		value := b[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b)
		}
		if err := f(number, kind, value); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

var errKind = errors.New("a field has another type than the service says")

func double(kind protowire.Type, value []byte) (float64, error) {
	if kind != protowire.Fixed64Type {
		return 0, errKind
	}
	bits, _ := protowire.ConsumeFixed64(value)
	return math.Float64frombits(bits), nil
}

func text(kind protowire.Type, value []byte) (string, error) {
	if kind != protowire.BytesType {
		return "", errKind
	}
	return string(value), nil
}

func appendText(b []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}

func appendDouble(b []byte, number protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), math.Float64bits(v))
}

type doubles map[string]float64

func (m doubles) append(b []byte, number protowire.Number) []byte {
	for key, v := range m {
		entry := appendDouble(appendText(nil, 1, key), 2, v)
		b = protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), entry)
	}
	return b
}

func (m doubles) add(kind protowire.Type, entry []byte) error {
	if kind != protowire.BytesType {
		return errKind
	}
	var key string
	var v float64
	err := eachField(entry, func(number protowire.Number, kind protowire.Type, value []byte) (err error) {
		switch number {
		case 1:
			key, err = text(kind, value)
		case 2:
			v, err = double(kind, value)
		}
		return err
	})
	m[key] = v
	return err
}

type estimationRequest struct{ features doubles }

func (m *estimationRequest) append(b []byte) []byte { return m.features.append(b, 1) }

func (m *estimationRequest) field(number protowire.Number, kind protowire.Type, value []byte) error {
	if number != 1 {
		return nil
	}
	if m.features == nil {
		m.features = doubles{}
	}
	return m.features.add(kind, value)
}

type estimationResponse struct {
	watts      doubles
	confidence float64
	version    string
}

func (m *estimationResponse) append(b []byte) []byte {
	return appendText(appendDouble(m.watts.append(b, 1), 2, m.confidence), 3, m.version)
}

func (m *estimationResponse) field(number protowire.Number, kind protowire.Type, value []byte) (err error) {
	switch number {
	case 1:
		if m.watts == nil {
			m.watts = doubles{}
		}
		err = m.watts.add(kind, value)
	case 2:
		m.confidence, err = double(kind, value)
	case 3:
		m.version, err = text(kind, value)
	}
	return err
}

type loadRequest struct{ directory string }

func (m *loadRequest) append(b []byte) []byte { return appendText(b, 1, m.directory) }

func (m *loadRequest) field(number protowire.Number, kind protowire.Type, value []byte) (err error) {
	if number == 1 {
		m.directory, err = text(kind, value)
	}
	return err
}

type loadResponse struct {
	success bool
	why     string
}

func (m *loadResponse) append(b []byte) []byte {
	if m.success {
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), 1)
	}
	return appendText(b, 2, m.why)
}

func (m *loadResponse) field(number protowire.Number, kind protowire.Type, value []byte) (err error) {
	switch number {
	case 1:
		if kind != protowire.VarintType {
			return errKind
		}
		v, _ := protowire.ConsumeVarint(value)
		m.success = v != 0
	case 2:
		m.why, err = text(kind, value)
	}
	return err
}

type empty struct{}

func (*empty) append(b []byte) []byte                               { return b }
func (*empty) field(protowire.Number, protowire.Type, []byte) error { return nil }

// infoResponse is what of GetModelInfo the client uses: the version and the zones' names.
type infoResponse struct {
	version string
	zones   []string
}

func (m *infoResponse) append(b []byte) []byte {
	b = appendText(b, 2, m.version)
	for _, zone := range m.zones {
		b = protowire.AppendBytes(protowire.AppendTag(b, 6, protowire.BytesType), appendText(nil, 1, zone))
	}
	return b
}

func (m *infoResponse) field(number protowire.Number, kind protowire.Type, value []byte) (err error) {
	switch number {
	case 2:
		m.version, err = text(kind, value)
	case 6:
		if kind != protowire.BytesType {
			return errKind
		}
		err = eachField(value, func(number protowire.Number, kind protowire.Type, value []byte) error {
			if number != 1 {
				return nil
			}
			zone, err := text(kind, value)
			m.zones = append(m.zones, zone)
			return err
		})
	}
	return err
}
