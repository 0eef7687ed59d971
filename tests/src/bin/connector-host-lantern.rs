//! The host, with the second connector linked in.

use std::alloc::System;

use connector_host::cli::ZeroAlloc;
use connector_tests as _;

#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    connector_host::cli::main()
}
