//! Divides the browser's WebAssembly module into the part that every page needs and the parts that are fetched later, and
//! writes the JavaScript glue: `soulforge-bindgen MODULE OUT_DIR NAME`.
//!
//! The same as `wasm-split` followed by `wasm-bindgen --target web --no-typescript --out-name NAME`, by way of their
//! libraries. `OUT_DIR/manifest.json` says which files each late part needs.

use std::{env, error::Error, fs, path::Path, process::ExitCode};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [module, out_dir, name] = args.as_slice() else {
        eprintln!("usage: soulforge-bindgen MODULE OUT_DIR NAME");
        return ExitCode::from(2);
    };
    match generate(Path::new(module), Path::new(out_dir), name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soulforge-bindgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(module: &Path, out_dir: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let whole = fs::read(module)?;
    let first = out_dir.join("first.wasm");
    let glue = format!("./{name}.js");
    let mut options = wasm_split_cli_support::Options::new(&whole);
    options.output_dir = out_dir;
    options.main_out_path = &first;
    options.main_module = &glue;
    options.link_name = "./__wasm_split.js";
    let parts = wasm_split_cli_support::transform(options)?;
    fs::write(out_dir.join("manifest.json"), serde_json::to_string(&parts.prefetch_map)?)?;
    Bindgen::new()
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The parts are linked by these names.
        .keep_lld_exports(true)
        .demangle(false)
        .input_path(&first)
        .out_name(name)
        .generate(out_dir)?;
    fs::remove_file(first)?;
    Ok(())
}
