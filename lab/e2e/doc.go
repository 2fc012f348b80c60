// Package e2e holds Herald's end-to-end tests: real clusters in the lab,
// driven as a user would drive them, through the lab program and kubectl.
//
// The tests run in one order on one lab (TestHerald lists them), because a lab
// costs more than a test, and the last of them looks back at everything that
// was asked of the API server. Each test makes what it needs and removes it.
// The package has no code but tests.
package e2e
