//! Reads the command line and calls the library; nothing else.

fn main() -> std::process::ExitCode {
    soulforge::server::serve::main()
}
