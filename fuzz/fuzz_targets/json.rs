//! JSON: what was read is the same after it was written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soulforge::cards::{read, write};

fuzz_target!(|text: &str| {
    let Ok(first) = read::reread(text) else { return };
    let written = write::v3(&first);
    let again = read::shape(written.clone());
    assert!(again.is_ok_and(|again| write::v3(&again) == written), "a card comes back");
});
