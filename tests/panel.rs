//! Lamps and buttons from the outside: a configuration and states in, light and presses out. LEDs are folders
//! that stand in for `/sys/class/leds`; pins are a recording fake, as no GPIO can be had here.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml's exception covers tests, not their helpers"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use roomcam::config::{self, Config, Overrides};
use roomcam::panel::backend::{Edge, RecordingFake};
use roomcam::panel::{
    Buttons, Camera, Cause, Command, Contact, Lamps, Light, Meeting, Mic, Panel, PanelError, PanelState,
    Pattern, Press, Pressed, lamps_off_in,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

const LIVE: PanelState =
    PanelState { camera: Camera::On, mic: Mic::Live, meeting: Meeting::Joined, speaking: false };
const MUTED: PanelState = PanelState { mic: Mic::Muted, ..LIVE };

const THREE_LAMPS: &str = "\
    [[panel.lamp]]\npin = 17\nshows = 'mic-muted'\n\
    [[panel.lamp]]\npin = 27\nshows = 'mic-live'\n\
    [[panel.lamp]]\npin = 22\nshows = 'meeting'\n";

/// The section `[panel]` of a configuration.
fn panel(text: &str) -> config::Panel {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, format!("[meeting]\nurl = 'wss://relay.example'\nroom = 'blue'\n{text}")).unwrap();
    Config::load(Some(&path), [].into_iter(), &Overrides::default()).unwrap().panel
}

/// The panel of a configuration on a fake, and its record; lamps have the names of their pins.
fn faked(text: &str) -> (Panel, RecordingFake, mpsc::Sender<Result<Edge, Cause>>) {
    let config = panel(text);
    let fake = RecordingFake::default();
    let mut lamps = Lamps::default();
    for lamp in &config.lamps {
        lamps.add(lamp, fake.lamp(&lamp.place.to_string()));
    }
    let (sender, edges) = mpsc::channel(64);
    (Panel::new(lamps, Buttons::fed(config.buttons, edges)), fake, sender)
}

/// The changes since the first `skip`, as lamp and light.
fn changes(fake: &RecordingFake, skip: usize) -> Vec<(String, Light)> {
    fake.changes().into_iter().skip(skip).map(|change| (change.lamp, change.light)).collect()
}

fn light(lamp: &str, light: Light) -> (String, Light) {
    (lamp.to_owned(), light)
}

#[test]
fn when_a_state_is_shown_the_lamps_have_it_and_claims_are_taken_back_first() {
    let (mut panel, fake, _sender) = faked(THREE_LAMPS);
    let now = Instant::now();

    panel.show(&MUTED, now).unwrap();
    assert_eq!(changes(&fake, 0), [light("pin 17", Light::Lit), light("pin 22", Light::Lit)]);
    panel.show(&LIVE, now).unwrap();
    assert_eq!(changes(&fake, 2), [light("pin 17", Light::Dark), light("pin 27", Light::Lit)]);
    panel.show(&MUTED, now).unwrap();
    assert_eq!(changes(&fake, 4), [light("pin 27", Light::Dark), light("pin 17", Light::Lit)]);
    panel.show(&MUTED, now).unwrap();
    assert_eq!(changes(&fake, 6), []);
    assert_eq!(panel.poll_timeout(), None);
}

#[test]
fn a_dropped_panel_claims_nothing() {
    for state in [LIVE, MUTED] {
        let (mut panel, fake, _sender) = faked(THREE_LAMPS);
        panel.show(&state, Instant::now()).unwrap();
        drop(panel);
        for lamp in ["pin 17", "pin 27", "pin 22"] {
            assert_eq!(fake.light(lamp), Light::Dark, "{lamp}");
        }
    }
}

#[test]
fn a_blinking_lamp_is_driven_by_the_timeouts_alone() {
    let (mut panel, fake, _sender) = faked(THREE_LAMPS);
    let start = Instant::now();
    panel.show(&PanelState { meeting: Meeting::Connecting, ..MUTED }, start).unwrap();
    let patterns: Vec<_> = panel.lamps().map(|lamp| (lamp.place.to_owned(), lamp.pattern)).collect();
    assert_eq!(
        patterns,
        [
            ("pin 17".to_owned(), Pattern::On),
            ("pin 27".to_owned(), Pattern::Off),
            ("pin 22".to_owned(), Pattern::Quick)
        ]
    );

    let mut at = Vec::new();
    for _ in 0..4 {
        let due = panel.poll_timeout().unwrap();
        at.push((due - start).as_millis());
        panel.tick(due).unwrap();
    }

    assert_eq!(at, [250, 500, 750, 1000]);
    let blinks = [Light::Dark, Light::Lit, Light::Dark, Light::Lit].map(|change| light("pin 22", change));
    assert_eq!(changes(&fake, 2), blinks);
    panel.show(&MUTED, start + Duration::from_millis(1100)).unwrap();
    assert_eq!(panel.poll_timeout(), None);
}

/// A folder with LEDs in it, as the kernel shows them.
fn leds(names: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in names {
        let folder = root.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("brightness"), "255\n").unwrap();
        fs::write(folder.join("max_brightness"), "255\n").unwrap();
        fs::write(folder.join("trigger"), "none rc-feedback [mmc0] timer\n").unwrap();
    }
    root
}

fn attribute(root: &TempDir, led: &str, name: &str) -> String {
    fs::read_to_string(root.path().join(led).join(name)).unwrap().trim().to_owned()
}

const TWO_LEDS: &str = "\
    [[panel.lamp]]\nled = 'ACT'\nshows = 'mic-live'\nbrightness = 40\n\
    [[panel.lamp]]\nled = 'green:status'\nshows = 'mic-muted'\n";

#[test]
fn an_led_is_taken_dark_lit_as_bright_as_asked_for_and_given_back() {
    let root = leds(&["ACT", "green:status"]);
    let mut panel = Panel::open_in(&panel(TWO_LEDS), root.path()).unwrap();
    assert_eq!(
        (attribute(&root, "ACT", "brightness"), attribute(&root, "ACT", "trigger")),
        ("0".into(), "none".into())
    );

    panel.show(&LIVE, Instant::now()).unwrap();
    assert_eq!(attribute(&root, "ACT", "brightness"), "102");
    assert_eq!(attribute(&root, "green:status", "brightness"), "0");
    panel.show(&MUTED, Instant::now()).unwrap();
    assert_eq!(attribute(&root, "ACT", "brightness"), "0");
    assert_eq!(attribute(&root, "green:status", "brightness"), "255");

    drop(panel);
    for led in ["ACT", "green:status"] {
        assert_eq!(attribute(&root, led, "brightness"), "0", "{led}");
        assert_eq!(attribute(&root, led, "trigger"), "mmc0", "{led}");
    }
}

#[test]
fn an_led_that_knows_only_on_and_off_is_lit_however_dim_it_should_be() {
    let root = leds(&["ACT", "green:status"]);
    fs::write(root.path().join("ACT/max_brightness"), "1\n").unwrap();
    fs::remove_file(root.path().join("ACT/trigger")).unwrap();

    let mut panel = Panel::open_in(&panel(TWO_LEDS), root.path()).unwrap();
    panel.show(&LIVE, Instant::now()).unwrap();

    assert_eq!(attribute(&root, "ACT", "brightness"), "1");
    assert!(!root.path().join("ACT/trigger").exists());
}

#[test]
fn a_lamp_that_fails_is_named_while_the_others_are_set() {
    let root = leds(&["ACT", "green:status"]);
    let mut panel = Panel::open_in(&panel(TWO_LEDS), root.path()).unwrap();
    panel.show(&LIVE, Instant::now()).unwrap();
    fs::remove_file(root.path().join("ACT/brightness")).unwrap();

    let error = panel.show(&MUTED, Instant::now()).unwrap_err();
    assert_eq!(
        error.to_string().replace(root.path().to_str().unwrap(), "LEDS"),
        "the lamp on LED ACT that shows mic-live cannot be driven: sysfs-led: cannot write LEDS/ACT/brightness: \
         No such file or directory (os error 2); choose another LED"
    );
    assert_eq!(attribute(&root, "green:status", "brightness"), "255");

    // It is tried again, also if its light did not change.
    fs::write(root.path().join("ACT/brightness"), "102\n").unwrap();
    panel.tick(Instant::now()).unwrap();
    assert_eq!(attribute(&root, "ACT", "brightness"), "0");
}

#[test]
fn lamps_off_darkens_what_a_killed_daemon_left_and_can_be_done_again() {
    let root = leds(&["ACT", "green:status"]);
    let config = panel(TWO_LEDS);
    let mut panel = Panel::open_in(&config, root.path()).unwrap();
    panel.show(&LIVE, Instant::now()).unwrap();
    // A killed daemon runs no destructors.
    std::mem::forget(panel);

    for _ in 0..2 {
        assert_eq!(lamps_off_in(&config, root.path()), Ok(2));
        assert_eq!(attribute(&root, "ACT", "brightness"), "0");
        assert_eq!(attribute(&root, "green:status", "brightness"), "0");
    }
}

#[test]
fn lamps_off_goes_on_after_a_lamp_that_is_gone() {
    let root = leds(&["green:status"]);
    let errors = lamps_off_in(&panel(TWO_LEDS), root.path()).unwrap_err();

    let [PanelError::Lamp { place, .. }] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(place, "LED ACT");
    assert_eq!(attribute(&root, "green:status", "brightness"), "0");
}

/// The error of opening this configuration, with the folder of the LEDs shortened.
fn refusal(text: &str, leds: &Path) -> String {
    let error = Panel::open_in(&panel(text), leds).unwrap_err();
    error.to_string().replace(leds.to_str().unwrap(), "LEDS")
}

#[test]
fn a_lamp_that_cannot_be_driven_is_an_error_with_a_remedy() {
    let root = leds(&["ACT", "PWR"]);
    assert_eq!(
        refusal("[[panel.lamp]]\nled = 'act'\nshows = 'meeting'", root.path()),
        "the lamp on LED act that shows meeting cannot be driven: sysfs-led: there is no LED act in LEDS; there are \
         ACT, PWR"
    );
    fs::write(root.path().join("ACT/max_brightness"), "bright\n").unwrap();
    assert_eq!(
        refusal("[[panel.lamp]]\nled = 'ACT'\nshows = 'meeting'", root.path()),
        "the lamp on LED ACT that shows meeting cannot be driven: sysfs-led: LEDS/ACT/max_brightness holds no \
         number; choose another LED"
    );
    let chip = "[panel]\nbackend = 'gpiochip'\nchip = '/dev/gpiochip-nowhere'\n";
    assert_eq!(
        refusal(&format!("{chip}[[panel.lamp]]\npin = 17\nshows = 'mic-muted'"), root.path()),
        "the lamp on pin 17 that shows mic-muted cannot be driven: gpiochip: there is no GPIO chip \
         /dev/gpiochip-nowhere; see `roomcam devices` for those there are, and set panel.chip"
    );
    assert_eq!(
        refusal(&format!("{chip}[[panel.button]]\npin = 'GPIO17'\npress = 'mute'"), root.path()),
        "the button on pin GPIO17 cannot be read: gpiochip: there is no GPIO chip /dev/gpiochip-nowhere; see \
         `roomcam devices` for those there are, and set panel.chip"
    );
    let chip = "[panel]\nbackend = 'gpiochip'\nchip = '/dev/null'\n";
    let error = refusal(&format!("{chip}[[panel.lamp]]\npin = 17\nshows = 'mic-muted'"), root.path());
    assert!(error.contains("gpiochip: cannot open /dev/null: "), "{error}");
}

#[test]
fn without_a_chip_and_a_raspberry_pi_auto_says_so() {
    if rppal::system::DeviceInfo::new().is_ok() {
        return;
    }
    let root = leds(&[]);
    let lamp = "[[panel.lamp]]\npin = 17\nshows = 'mic-muted'";
    assert_eq!(
        refusal(&format!("[panel]\nbackend = 'rppal'\n{lamp}"), root.path()),
        "the lamp on pin 17 that shows mic-muted cannot be driven: rppal: this is no Raspberry Pi; set \
         panel.backend = \"gpiochip\""
    );
    assert_eq!(
        refusal(&format!("[panel]\nchip = '/dev/gpiochip-nowhere'\n{lamp}"), root.path()),
        "the lamp on pin 17 that shows mic-muted cannot be driven: auto: neither gpiochip (there is no GPIO chip \
         /dev/gpiochip-nowhere) nor rppal (this is no Raspberry Pi); see `roomcam devices` for the GPIO chips there are; \
         with panel.backend = \"none\" the daemon runs without lamps and buttons"
    );
}

#[test]
fn the_backend_none_leaves_everything_alone() {
    let root = leds(&["ACT", "green:status"]);
    let config = panel(&format!("[panel]\nbackend = 'none'\n{THREE_LAMPS}{TWO_LEDS}"));

    let mut panel = Panel::open_in(&config, root.path()).unwrap();
    panel.show(&LIVE, Instant::now()).unwrap();
    drop(panel);

    assert_eq!(lamps_off_in(&config, root.path()), Ok(0));
    assert_eq!(attribute(&root, "ACT", "brightness"), "255");
}

const TWO_BUTTONS: &str = "\
    [[panel.button]]\npin = 5\npress = 'toggle-mic'\nlong_press = 'leave'\n\
    [[panel.button]]\npin = 6\npush_to_talk = true\n\
    [[panel.button]]\npin = 13\nlong_press = 'toggle-camera'\n";

fn pressed(pin: &str, press: Press, command: Command) -> Result<Pressed, PanelError> {
    Ok(Pressed { pin: pin.to_owned(), press, command })
}

#[tokio::test(start_paused = true)]
async fn presses_come_out_as_the_commands_that_were_configured() {
    let (mut panel, _fake, sender) = faked(TWO_BUTTONS);
    let start = tokio::time::Instant::now().into_std();
    let edge = async |button, contact, millis| {
        sender.send(Ok(Edge { button, contact, at: start + Duration::from_millis(millis) })).await.unwrap();
    };

    edge(0, Contact::Pressed, 0).await;
    edge(0, Contact::Released, 100).await;
    assert_eq!(panel.next_press().await, pressed("5", Press::Short, Command::ToggleMic));
    edge(1, Contact::Pressed, 200).await;
    assert_eq!(panel.next_press().await, pressed("6", Press::TalkStart, Command::Unmute));
    edge(0, Contact::Pressed, 300).await;
    assert_eq!(panel.next_press().await, pressed("5", Press::Long, Command::Leave));
    edge(1, Contact::Released, 1200).await;
    assert_eq!(panel.next_press().await, pressed("6", Press::TalkEnd, Command::Mute));
    // The short press of the third button asks for nothing, so only the long one is told.
    edge(2, Contact::Pressed, 1300).await;
    edge(2, Contact::Released, 1400).await;
    edge(2, Contact::Pressed, 1500).await;
    assert_eq!(panel.next_press().await, pressed("13", Press::Long, Command::ToggleCamera));
}

/// The agent was busy for two seconds: the edges are old, and so is the time at which a press would be long.
#[tokio::test(start_paused = true)]
async fn a_press_that_was_read_late_is_as_short_as_it_was() {
    let (mut panel, _fake, sender) = faked(TWO_BUTTONS);
    let start = tokio::time::Instant::now().into_std();
    sender.send(Ok(Edge { button: 0, contact: Contact::Pressed, at: start })).await.unwrap();
    let at = start + Duration::from_millis(200);
    sender.send(Ok(Edge { button: 0, contact: Contact::Released, at })).await.unwrap();
    tokio::time::advance(Duration::from_secs(2)).await;

    assert_eq!(panel.next_press().await, pressed("5", Press::Short, Command::ToggleMic));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_press_can_be_given_up_at_any_time() {
    let (mut panel, _fake, sender) = faked(TWO_BUTTONS);
    let start = tokio::time::Instant::now().into_std();
    sender.send(Ok(Edge { button: 0, contact: Contact::Pressed, at: start })).await.unwrap();

    let mut given_up = 0;
    let press = loop {
        match tokio::time::timeout(Duration::from_millis(7), panel.next_press()).await {
            Ok(press) => break press,
            Err(_) => given_up += 1,
        }
    };
    assert_eq!(press, pressed("5", Press::Long, Command::Leave));
    assert_eq!(given_up, 800 / 7);
}

#[tokio::test(start_paused = true)]
async fn who_talks_when_the_buttons_are_lost_is_muted_before_that_is_told() {
    let (mut panel, _fake, sender) = faked(TWO_BUTTONS);
    let at = tokio::time::Instant::now().into_std();
    sender.send(Ok(Edge { button: 1, contact: Contact::Pressed, at })).await.unwrap();
    assert_eq!(panel.next_press().await, pressed("6", Press::TalkStart, Command::Unmute));
    drop(sender);

    assert_eq!(panel.next_press().await, pressed("6", Press::TalkEnd, Command::Mute));
    assert!(matches!(panel.next_press().await, Err(PanelError::ButtonsUnfed)));
    let nothing = tokio::time::timeout(Duration::from_secs(3600), panel.next_press()).await;
    assert!(nothing.is_err());
}
