//! An archive with whatever follows its first letters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soulforge::cards::read;

fuzz_target!(|bytes: &[u8]| {
    let file = [b"PK\x03\x04".as_slice(), bytes].concat();
    if let Ok(card) = read::read(&file) {
        assert!(read::reread(&card.original).is_ok(), "what was read is read again");
    }
});
