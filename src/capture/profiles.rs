//! Where profiles are found: directories of the administrator, of the package, and the binary itself.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{CaptureError, Profile};

/// The administrator's.
const ETC: &str = "/etc/roomcam/pipelines";
/// The package's.
const USR: &str = "/usr/share/roomcam/pipelines";

/// Those that are always there, so that a bare binary works.
const BUILT_IN: &[(&str, &str)] = &[
    ("audio-only", include_str!("../../pipelines/audio-only.toml")),
    ("file", include_str!("../../pipelines/file.toml")),
    ("pi-camera", include_str!("../../pipelines/pi-camera.toml")),
    ("test-pattern", include_str!("../../pipelines/test-pattern.toml")),
    ("usb-webcam", include_str!("../../pipelines/usb-webcam.toml")),
    ("usb-webcam-mjpeg", include_str!("../../pipelines/usb-webcam-mjpeg.toml")),
];

/// The places to look for profiles, the most specific first. A file in an earlier place hides one of the same
/// name in a later place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profiles {
    directories: Vec<PathBuf>,
}

impl Profiles {
    /// The usual places; before them `development`, if given (the environment's `ROOMCAM_PIPELINES`).
    pub fn usual(development: Option<PathBuf>) -> Self {
        let usual = [PathBuf::from(ETC), PathBuf::from(USR)];
        Self { directories: development.into_iter().chain(usual).collect() }
    }

    /// The profile of that name. If there is none, the error lists those there are.
    pub fn load(&self, name: &str) -> Result<Profile, CaptureError> {
        // A name is a name and no path: `../secrets` does not exist.
        if !is_name(name) {
            return Err(self.unknown(name));
        }
        for directory in &self.directories {
            let path = directory.join(format!("{name}.toml"));
            match std::fs::read_to_string(&path) {
                Ok(text) => return Profile::parse(name, &text),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => {
                    return Err(CaptureError::UnreadableProfile { path, reason: error.to_string() });
                }
            }
        }
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Profile::parse(name, text),
            None => Err(self.unknown(name)),
        }
    }

    /// The names of all profiles, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        for directory in &self.directories {
            names.extend(names_in(directory));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    fn unknown(&self, name: &str) -> CaptureError {
        CaptureError::UnknownProfile { name: name.to_owned(), known: self.names() }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .filter(|name| is_name(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_valid_and_describes_itself() {
        let profiles = Profiles { directories: Vec::new() };

        for name in profiles.names() {
            let profile = profiles.load(&name).unwrap();
            assert!(!profile.description.is_empty(), "{name}");
        }
        assert_eq!(profiles.names().len(), 6);
        assert_eq!(profiles.load("audio-only").unwrap().video, None);
    }

    #[test]
    fn a_file_hides_the_built_in_profile_and_adds_new_names() {
        let dir = tempfile::tempdir().unwrap();
        let text = "description = \"mine\"\n[audio]\nsource = \"audiotestsrc\"\n\
                    encoder = \"opusenc name=encoder\"\nbitrate_property = \"bitrate\"\n";
        std::fs::write(dir.path().join("test-pattern.toml"), text).unwrap();
        std::fs::write(dir.path().join("mine.toml"), text).unwrap();
        let profiles = Profiles { directories: vec![dir.path().to_owned()] };

        assert_eq!(profiles.load("test-pattern").unwrap().description, "mine");
        assert!(profiles.names().contains(&"mine".to_owned()));
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Profiles { directories: Vec::new() }.load("usb").unwrap_err();

        assert_eq!(
            error.to_string(),
            "there is no pipeline profile \"usb\"; there are: \
             audio-only, file, pi-camera, test-pattern, usb-webcam, usb-webcam-mjpeg"
        );
    }

    #[test]
    fn a_name_is_not_a_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("inner")).unwrap();
        std::fs::write(dir.path().join("outside.toml"), "").unwrap();
        let profiles = Profiles { directories: vec![dir.path().join("inner")] };

        let error = profiles.load("../outside").unwrap_err();

        assert!(matches!(error, CaptureError::UnknownProfile { .. }), "{error}");
    }
}
