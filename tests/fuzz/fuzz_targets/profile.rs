//! Profiles of how to capture and encode: read, or refused with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcam::capture::Profile;

fuzz_target!(|text: &[u8]| {
    if let Err(error) = Profile::parse("fuzz", &String::from_utf8_lossy(text)) {
        assert!(!error.to_string().is_empty());
    }
});
