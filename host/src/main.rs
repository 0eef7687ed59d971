//! `connector-host`: see the crate's README.

fn main() -> std::process::ExitCode {
    connector_host::cli::main()
}
