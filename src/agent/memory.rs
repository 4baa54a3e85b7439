//! What people at the device chose last, kept where it outlives a restart.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::event::Choice;

const FILE: &str = "choice.json";

/// A file in the daemon's state directory; nothing, if it has none.
#[derive(Debug)]
pub(super) struct Memory {
    directory: Option<PathBuf>,
    /// What the file says.
    kept: Kept,
}

/// The file. A device that the configuration does not have at the moment keeps its choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_on: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mic_live: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attending: Option<bool>,
}

/// Nobody knows what was chosen, so that the choice is the one that shows and tells nothing.
const CLOSED: Kept = Kept { camera_on: Some(false), mic_live: Some(false), attending: None };

/// The choice cannot be kept, or is not known any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum MemoryError {
    /// There is a file, and it does not say what was chosen.
    #[error(
        "what was chosen before the restart is not known: {path:?}: {reason}; camera and microphone stay closed until somebody opens them"
    )]
    Forgotten { path: PathBuf, reason: String },
    /// The file cannot be written.
    #[error(
        "cannot keep what was chosen for the next start in {path:?}: {error}; make the directory writable for the daemon"
    )]
    NotKept { path: PathBuf, error: io::Error },
}

impl Memory {
    /// Reads what is known. With an error, everything counts as closed.
    pub(super) fn open(directory: Option<PathBuf>) -> (Self, Option<MemoryError>) {
        let path = directory.as_deref().map(|directory| directory.join(FILE));
        let read = path.as_deref().map_or(Ok(Kept::default()), read);
        let (kept, error) = match read {
            Ok(kept) => (kept, None),
            Err(reason) => {
                let path = path.unwrap_or_default();
                (CLOSED, Some(MemoryError::Forgotten { path, reason }))
            }
        };
        (Self { directory, kept }, error)
    }

    /// What was chosen last, where anything was; what the configuration says, where nothing was.
    pub(super) fn recall(&self, configured: Choice) -> Choice {
        let Kept { camera_on, mic_live, attending } = self.kept;
        Choice {
            camera: configured.camera.map(|on| camera_on.unwrap_or(on)),
            mic: configured.mic.map(|live| mic_live.unwrap_or(live)),
            attending: attending.unwrap_or(configured.attending),
        }
    }

    /// Keeps a choice. When this returns, it outlives the daemon's death; that it outlives a power cut takes the
    /// file system a moment longer.
    pub(super) fn remember(&mut self, choice: Choice) -> Result<(), MemoryError> {
        self.kept = Kept {
            camera_on: choice.camera.or(self.kept.camera_on),
            mic_live: choice.mic.or(self.kept.mic_live),
            attending: Some(choice.attending),
        };
        let Some(directory) = &self.directory else { return Ok(()) };
        write(directory, self.kept)
            .map_err(|error| MemoryError::NotKept { path: directory.join(FILE), error })
    }
}

fn read(path: &Path) -> Result<Kept, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(error.to_string()),
    }
}

/// Replaces the file as a whole, so that it is never half written.
fn write(directory: &Path, kept: Kept) -> io::Result<()> {
    let fresh = directory.join("choice.json.new");
    let mut file = std::fs::File::create(&fresh)?;
    serde_json::to_writer(&mut file, &kept)?;
    file.write_all(b"\n")?;
    std::fs::rename(&fresh, directory.join(FILE))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    const OPEN: Choice = Choice { camera: Some(true), mic: Some(true), attending: true };

    #[test]
    fn what_was_chosen_outlives_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (mut memory, error) = Memory::open(Some(directory.path().into()));
        assert!(error.is_none());
        assert_eq!(memory.recall(OPEN), OPEN, "the first time, the configuration decides");

        let choice = Choice { camera: Some(false), mic: Some(true), attending: false };
        memory.remember(choice).unwrap();

        let (memory, error) = Memory::open(Some(directory.path().into()));
        assert!(error.is_none());
        assert_eq!(memory.recall(OPEN), choice);
    }

    #[test]
    fn a_device_that_is_not_configured_for_a_while_keeps_its_choice() {
        let directory = tempfile::tempdir().unwrap();
        let (mut memory, _) = Memory::open(Some(directory.path().into()));
        memory.remember(Choice { mic: Some(false), ..OPEN }).unwrap();
        memory.remember(Choice { mic: None, ..OPEN }).unwrap();

        let (memory, _) = Memory::open(Some(directory.path().into()));
        assert_eq!(memory.recall(OPEN).mic, Some(false));
    }

    #[test]
    fn a_file_that_makes_no_sense_opens_nothing() {
        for nonsense in ["", "{", "{\"mic_live\": \"yes\"}", "[]", "{\"mic\": true}"] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(FILE), nonsense).unwrap();

            let (memory, error) = Memory::open(Some(directory.path().into()));

            let choice = memory.recall(OPEN);
            assert_eq!((choice.camera, choice.mic), (Some(false), Some(false)), "{nonsense:?}");
            assert!(error.unwrap().to_string().contains(FILE), "{nonsense:?}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let (mut memory, _) = Memory::open(Some("/proc/self".into()));
        let error = memory.remember(OPEN).unwrap_err().to_string();
        assert!(error.contains("/proc/self/choice.json"), "{error}");
    }
}
