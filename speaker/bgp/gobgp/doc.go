// Package gobgp makes BGP sessions with github.com/osrg/gobgp. It is the only
// package that imports that library.
//
// Every session has a BgpServer of its own, so that sessions have their own ASN,
// router identifier and routes, and share nothing. The server speaks BGP to a
// gate in this package, over the loopback; the gate connects to the router and
// passes messages on. There are three reasons for the gate:
//
//   - The library keeps every route that a router sends, also those that policy
//     rejects. The gate drops each UPDATE, so a router may send its full table.
//   - The library decodes what it is sent in goroutines of its own, where a panic
//     ends the process. It never gets a byte from the wire: the gate reads an
//     OPEN itself and writes a new one that has what it has understood.
//   - The library hides why a connection failed, and waits seconds before it
//     tries again. The gate knows what the kernel and the router said.
//
// The library's side of the loopback connection listens on a random address and
// port of 127.0.0.0/8, for as long as the session is open. From the address of the
// gate, random as well, the kernel takes signed connections alone (RFC 2385, with a
// random password), if it knows how; connections from others the library closes.
// Nothing listens for routers.
package gobgp
