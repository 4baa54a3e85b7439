//! Bodies of requests to the control API. None of them means two things.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roomcam::control::read_any;

fuzz_target!(|body: &[u8]| {
    assert!(read_any(body) <= 1);
});
