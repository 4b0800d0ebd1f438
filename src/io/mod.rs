//! Acts: sockets, threads, HTTP, files, the clock. It decides nothing.
