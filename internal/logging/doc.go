// Package logging makes the go-kit logger of a binary and hands it to the
// libraries that log by other means (logr, slog, the standard log package).
package logging
