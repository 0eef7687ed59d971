//! `connector-host`: see the crate's README.

use std::alloc::System;

use connector_host::cli::ZeroAlloc;

/// Memory is overwritten before it is given back, so that no token outlives its use in a buffer of whatever it went through.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    connector_host::cli::main()
}
