//! Texts that are no JSON and so are read as YAML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soulforge::cards::read;

fuzz_target!(|text: &str| {
    let _ = read::reread(&format!("name: x\n{text}"));
});
