// Package e2e holds Herald's end-to-end tests: real clusters in the lab,
// driven as a user would drive them, through the lab program and kubectl.
//
// The tests run in one order on one lab of both families (TestHerald lists
// them), because a lab costs more than a test, and the last of them looks back
// at everything that was asked of the API server. Those of layer 2 give their
// Services an address of each family and look at both at once; the core of them
// runs again where there is only IPv6 (TestIPv6). Each test makes what it needs
// and removes it.
// The package has no code but tests.
package e2e
