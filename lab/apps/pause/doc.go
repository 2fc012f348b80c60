// Command pause is the first process of every pod sandbox in the lab: it holds
// the pod's namespaces open and does nothing else.
//
// It promises to end at once on SIGINT or SIGTERM, and to collect every child
// that is handed to it, so that pods which share a process namespace leave no
// zombies. It never opens a file or a socket, writes nothing, and takes no
// flags.
package main
