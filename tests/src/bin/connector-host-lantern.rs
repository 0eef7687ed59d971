//! The host, with the second connector linked in.

use connector_tests as _;

fn main() -> std::process::ExitCode {
    connector_host::cli::main()
}
