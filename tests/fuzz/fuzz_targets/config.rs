//! Configuration files: read, or refused with every problem in a line of its own. No secret is shown.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use roomcam::config::{Config, Overrides};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fuzz_target!(|text: &[u8]| {
    let path = FOLDER.path().join("config.toml");
    if std::fs::write(&path, text).is_err() {
        return;
    }
    match Config::load(Some(&path), std::iter::empty(), &Overrides::default()) {
        Ok(config) => assert!(!config.meeting.room.as_str().is_empty()),
        Err(errors) => assert!(!errors.to_string().trim().is_empty()),
    }
});
