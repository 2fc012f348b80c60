// Package netnstest gives tests a network of their own: namespaces, links and
// switches that the kernel makes, and routing daemons that run there. Only tests
// import it.
//
//	lan := netnstest.NewSwitch(t)
//	a, b := netnstest.New(t), netnstest.New(t)
//	lan.Connect(a, "eth0", "a", netip.MustParsePrefix("192.0.2.1/24"))
//	lan.Connect(b, "eth0", "b", netip.MustParsePrefix("192.0.2.2/24"))
//	other := netnstest.NewBIRD(t, b)
//	other.Start("router id 192.0.2.2; ...")
//	err := a.Do(func() error { return speaker.Start(ctx) })
//
// Code that opens sockets in goroutines of its own is tested in a process that has
// a namespace of its own: Main in TestMain, and Own in the test.
//
// All that it makes is removed when the test ends: a namespace, and the links in
// it, go with the last thread and file that hold it; daemons are killed by their
// process ids, by a watchdog if the test program dies before it can.
//
// A test that needs what the machine has not (the privilege to make namespaces,
// FRR, BIRD) is skipped. With HERALD_WIRE_TESTS=required in the environment it
// fails, so that continuous integration never passes by not looking.
package netnstest
