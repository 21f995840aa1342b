//! Writes the JavaScript glue for the browser's WebAssembly module: `soulforge-bindgen MODULE OUT_DIR NAME`.
//!
//! The same as `wasm-bindgen --target web --no-typescript --out-name NAME`, by way of its library.

use std::{env, process::ExitCode};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [module, out_dir, name] = args.as_slice() else {
        eprintln!("usage: soulforge-bindgen MODULE OUT_DIR NAME");
        return ExitCode::from(2);
    };
    match generate(module, out_dir, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soulforge-bindgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(module: &str, out_dir: &str, name: &str) -> Result<(), Box<dyn std::error::Error>> {
    Bindgen::new()
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .input_path(module)
        .out_name(name)
        .generate(out_dir)?;
    Ok(())
}
