//! The loop goes on, whatever takes its time: a disk, a black picture, a configuration.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{RunOptions, Runtime};
use crate::agent::gate::Gate;
use crate::capture::fake_camera::{FakeCamera, PROFILE};
use crate::config::{self, Backend, ButtonAction, Config, DeviceChoice, LampPlace, Overrides, Pull, Shows};
use crate::control::{self, CameraState, Command, Control, MicState, State, Status};
use crate::panel::backend::{Edge, RecordingFake};
use crate::panel::{Buttons, Contact, Lamps, Light, Panel};
use crate::relay::{Relay, RelayOptions};

/// Far longer than anything here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How the lamp that says that the camera is off is called here.
const OFF: &str = "off";

/// An agent in a meeting whose microphone and camera are on.
struct Scene {
    camera: FakeCamera,
    lamps: RecordingFake,
    control: Control,
    /// What is read when the configuration is read again.
    config: Arc<Mutex<Config>>,
    directory: tempfile::TempDir,
    /// Where the work stands that the test slows down.
    gate: Gate,
}

impl Scene {
    /// Plays a story with an agent that `prepare` slows down. No other test may have a camera of this name.
    async fn play(
        camera: &str,
        prepare: impl FnOnce(&mut Runtime, &Gate),
        story: impl AsyncFnOnce(&Scene) + 'static,
    ) {
        let relay = Relay::bind(([127, 0, 0, 1], 0).into(), RelayOptions::default()).await.unwrap();
        let config = config(camera, &format!("http://{}", relay.local_addr()));
        let scene = Self {
            config: Arc::new(Mutex::new(config.clone())),
            camera: FakeCamera::new(camera),
            lamps: RecordingFake::default(),
            control: control::requests(State::default()).0,
            directory: tempfile::tempdir().unwrap(),
            gate: Gate::default(),
        };
        let directory = scene.directory.path();
        std::fs::write(directory.join("fake.toml"), PROFILE).unwrap();
        let (control, requests) = control::requests(State::default());
        let (gate, again) = (scene.gate.clone(), Arc::clone(&scene.config));
        let options = RunOptions {
            profiles: Some(directory.into()),
            state_directory: Some(directory.into()),
            requests: Some(requests),
            reload: Some(Box::new(move || {
                gate.pass();
                Ok(again.lock().unwrap().clone())
            })),
            ..RunOptions::default()
        };
        let mut runtime = Runtime::new(&config, options).unwrap();
        let mut lamps = Lamps::default();
        let place = LampPlace::Pin { pin: "GPIO17".parse().unwrap(), active_low: false };
        lamps.add(&config::Lamp { place, shows: Shows::CameraOff }, scene.lamps.lamp(OFF));
        runtime.panel = Panel::new(lamps, Buttons::default());
        prepare(&mut runtime, &scene.gate);
        let scene = Self { control, ..scene };

        let plot = async {
            scene.until(|status| status.state.camera.state == CameraState::On).await;
            scene.chunks_go_on().await;
            story(&scene).await;
        };
        tokio::select! {
            ended = relay.run(pending()) => panic!("{ended:?}"),
            () = runtime.run(pending()) => panic!("the agent has ended"),
            told = tokio::time::timeout(PATIENCE, plot) => told.unwrap(),
        }
        scene.gate.open();
    }

    async fn status(&self) -> Status {
        self.control.status().await.unwrap()
    }

    async fn until(&self, condition: impl Fn(&Status) -> bool) -> Status {
        loop {
            let status = self.status().await;
            if condition(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn chunks_go_on(&self) {
        let before = self.status().await.stream.chunks_sent;
        self.until(|status| status.stream.chunks_sent >= before + 5).await;
    }

    /// Changes the configuration, and has it read again.
    async fn reload(&self, change: impl FnOnce(&mut Config)) -> Status {
        change(&mut self.config.lock().unwrap());
        self.command(Command::Reload).await
    }

    async fn command(&self, command: Command) -> Status {
        self.control.command(command).await.unwrap().unwrap()
    }

    /// Waits until somebody stands before the gate.
    async fn until_held(&self) {
        while !self.gate.holds_somebody() {
            tokio::task::yield_now().await;
        }
    }

    fn says_off(&self) -> bool {
        self.lamps.light(OFF) == Light::Lit
    }

    fn kept(&self) -> String {
        let path: &Path = self.directory.path();
        std::fs::read_to_string(path.join("choice.json")).unwrap_or_default().trim().to_owned()
    }
}

fn config(camera: &str, url: &str) -> Config {
    let env = [
        ("ROOMCAM_MEETING_URL", url),
        ("ROOMCAM_MEETING_ROOM", "blue"),
        ("ROOMCAM_CAPTURE_PROFILE", "fake"),
        ("ROOMCAM_CAPTURE_CAMERA", camera),
        ("ROOMCAM_CAPTURE_WIDTH", "320"),
        ("ROOMCAM_CAPTURE_HEIGHT", "240"),
    ];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::load(None, env, &Overrides::default()).unwrap()
}

const CAMERA_OFF: Command = Command::Camera { on: false };
const CAMERA_ON: Command = Command::Camera { on: true };

#[tokio::test]
async fn a_slow_disk_holds_back_the_lamp_that_says_off_and_nothing_else() {
    let slow_disk = |runtime: &mut Runtime, gate: &Gate| runtime.choice_file.be_slow(gate.clone(), PATIENCE);
    Scene::play("slow-disk", slow_disk, async |scene: &Scene| {
        scene.gate.close();
        let off = scene.command(CAMERA_OFF);
        let meanwhile = async {
            scene.until_held().await;
            scene.until(|_| !scene.camera.is_open()).await;
            scene.chunks_go_on().await;
            assert!(!scene.says_off(), "it is not kept yet");
            assert_eq!(scene.kept(), "");
            scene.gate.open();
        };
        let (off, ()) = tokio::join!(off, meanwhile);

        assert_eq!(off.state.camera.state, CameraState::Off);
        assert!(scene.says_off(), "the command is answered when the lamps have followed");
        assert_eq!(scene.kept(), r#"{"camera_on":false,"mic_live":true,"attending":true}"#);
    })
    .await;
}

#[tokio::test]
async fn off_and_on_again_on_a_slow_disk_never_says_off() {
    let slow_disk = |runtime: &mut Runtime, gate: &Gate| runtime.choice_file.be_slow(gate.clone(), PATIENCE);
    Scene::play("off-and-on-slow-disk", slow_disk, async |scene: &Scene| {
        let before = scene.lamps.changes();
        scene.gate.close();
        let off = scene.command(CAMERA_OFF);
        let on = async {
            scene.until_held().await;
            scene.command(CAMERA_ON).await;
            scene.until(|status| status.state.camera.state == CameraState::On).await;
            scene.chunks_go_on().await;
            scene.gate.open();
        };
        tokio::join!(off, on);

        while scene.kept() != r#"{"camera_on":true,"mic_live":true,"attending":true}"# {
            scene.chunks_go_on().await;
        }
        assert_eq!(scene.lamps.changes(), before);
    })
    .await;
}

#[tokio::test]
async fn the_lamp_waits_for_a_dying_disk_no_longer_than_a_second_and_the_fault_is_told_once() {
    let dying_disk = |runtime: &mut Runtime, gate: &Gate| {
        runtime.choice_file.be_slow(gate.clone(), Duration::from_millis(50));
    };
    Scene::play("dying-disk", dying_disk, async |scene: &Scene| {
        scene.gate.close();

        let off = scene.command(CAMERA_OFF).await;
        assert!(scene.says_off());
        for command in [CAMERA_ON, CAMERA_OFF, CAMERA_ON] {
            scene.command(command).await;
        }

        assert_eq!(off.state.faults.len(), 1, "{:?}", off.state.faults);
        let faults = scene.status().await.state.faults;
        assert_eq!(faults, off.state.faults);
        assert_eq!(faults[0].part, "choice-file");
        scene.gate.open();
        while !scene.kept().contains(r#""camera_on":true"#) {
            scene.chunks_go_on().await;
        }
    })
    .await;
}

#[tokio::test]
async fn while_the_black_picture_is_made_the_voice_goes_on_and_no_picture_follows() {
    // The camera's 160x120 are not the 320x240 that the first black picture was made for.
    let slow_encoder = |runtime: &mut Runtime, gate: &Gate| {
        gate.close();
        runtime.black.be_slow(gate.clone());
    };
    Scene::play("slow-black", slow_encoder, async |scene: &Scene| {
        scene.until_held().await;
        let before = scene.status().await.state.epoch;

        scene.command(CAMERA_OFF).await;
        assert!(scene.says_off());
        scene.until(|_| !scene.camera.is_open()).await;
        scene.chunks_go_on().await;
        let status = scene.status().await;
        assert_eq!(status.state.epoch, before, "what was shown stays");

        scene.gate.open();
        scene.until(|status| status.state.epoch == before + 1).await;
    })
    .await;
}

#[tokio::test]
async fn while_the_configuration_is_read_again_the_stream_goes_on() {
    Scene::play(
        "slow-reload",
        |_, _| {},
        async |scene: &Scene| {
            scene.gate.close();
            let reload = scene.command(Command::Reload);
            let again = scene.command(Command::Reload);
            let meanwhile = async {
                scene.until_held().await;
                scene.chunks_go_on().await;
                scene.gate.open();
            };
            tokio::join!(reload, again, meanwhile);

            scene.chunks_go_on().await;
        },
    )
    .await;
}

/// The new button knows nothing of a press that began before it was opened.
#[tokio::test]
async fn whoever_talks_while_the_buttons_are_opened_anew_is_heard_no_longer() {
    let (press, edges) = mpsc::channel(1);
    let talk = config::Button {
        pin: "GPIO27".parse().unwrap(),
        action: ButtonAction::PushToTalk,
        pull: Pull::Up,
        active_low: true,
        debounce: 1.try_into().unwrap(),
        hold: 800.try_into().unwrap(),
    };
    let push_to_talk = |runtime: &mut Runtime, _: &Gate| {
        runtime.panel = Panel::new(Lamps::default(), Buttons::fed(vec![talk], edges));
        // So that the configuration that is read has another panel.
        runtime.config.panel.backend = Backend::None;
    };
    Scene::play("push-to-talk", push_to_talk, async move |scene: &Scene| {
        scene.command(Command::Mic { muted: true }).await;
        let edge = Edge { button: 0, contact: Contact::Pressed, at: Instant::now() };
        press.send(Ok(edge)).await.unwrap();
        scene.until(|status| status.state.mic.state == MicState::Live).await;

        let status = scene.command(Command::Reload).await;
        assert_eq!(status.state.mic.state, MicState::Muted);
    })
    .await;
}

#[tokio::test]
async fn a_microphone_that_the_configuration_has_again_is_as_people_left_it() {
    Scene::play(
        "mic-again",
        |_, _| {},
        async |scene: &Scene| {
            scene.command(Command::Mic { muted: true }).await;
            let without = scene.reload(|config| config.capture.mic = DeviceChoice::None).await;
            assert_eq!(without.state.mic.state, MicState::Absent);

            let again = scene.reload(|config| config.capture.mic = DeviceChoice::Auto).await;
            assert_eq!(again.state.mic.state, MicState::Muted);
        },
    )
    .await;
}
