// SPDX-License-Identifier: Apache-2.0

package vmwatts

import (
	"errors"
	"syscall"
)

// What errors.Is finds in errors of this package.
var (
	ErrClosed    = errors.New("vmwatts: used after Close")
	ErrFormat    = errors.New("vmwatts: bytes are not what their format says")
	ErrSignature = errors.New("vmwatts: signature missing, wrong, or by an unknown key")
	ErrConfig    = errors.New("vmwatts: a value is not allowed")
	ErrData      = errors.New("vmwatts: the numbers cannot be used for this")
	ErrStale     = errors.New("vmwatts: older than what is installed, or expired")
	ErrNoModel   = errors.New("vmwatts: no bundle is loaded, the prior answers")
	ErrNoAnswer  = errors.New("vmwatts: no zone can be answered from these features")
	ErrFeature   = errors.New("vmwatts: no such feature")
)

// Error is what the library said: a code (an errno, or 4000 and up) and one
// sentence that names the thing and the remedy.
type Error struct {
	Code int
	Text string
}

func (e *Error) Error() string { return "vmwatts: " + e.Text }

// Unwrap gives the sentinel of the code, or the syscall.Errno.
func (e *Error) Unwrap() error {
	switch e.Code {
	case errFormat:
		return ErrFormat
	case errSignature:
		return ErrSignature
	case errConfig:
		return ErrConfig
	case errData:
		return ErrData
	case errStale:
		return ErrStale
	}
	return syscall.Errno(e.Code)
}
