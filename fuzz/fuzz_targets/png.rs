//! A PNG with whatever follows its signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soulforge::cards::read;

fuzz_target!(|bytes: &[u8]| {
    let file = [b"\x89PNG\r\n\x1a\n".as_slice(), bytes].concat();
    if let Ok(card) = read::read(&file) {
        assert!(read::reread(&card.original).is_ok(), "what was read is read again");
    }
});
