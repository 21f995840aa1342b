//! Reads the command line and calls the library; nothing else.

/// A page is made of some thousand small pieces of text, which this hands out and takes back cheaper than the system's.
#[cfg(feature = "ssr")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    soulforge::server::serve::main()
}
